"""What lies in a migration's downtime, step by step, when a base has moved everything before: the delta.

One source is followed by two targets, so that both get the same changes. The peers have no base: all that they do is
downtime.
"""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import changes, direct_import, memory, processor_time, workload
from bench.direct_import import AIRFLOW_3
from bench.engine import Engine
from bench.import_speed import RowsDiffer
from bench.laboratory import TARGET, TARGET_VERSION, Laboratory
from bench.mwaa_dr import MwaaDr
from bench.results import Result
from bench.timing import Contender, medians
from local.installations.airflow_installation import AirflowInstallation, install

logger = logging.getLogger("bench")

BEGIN = "<!-- results: written by `make bench ONLY=downtime` -->"

#: At scale 1.
DAGS = 3_000

MEGABYTE = 1024 * 1024

# Pauses every active DAG and names them in a file, or unpauses those; the result has no phases.
_PAUSES = """
import json, sys
from pathlib import Path
from mwaa_migrator.dag_tasks.dag_states import active_dags, set_paused
from mwaa_migrator.this_airflow.database import metadata_database
command, file = sys.argv[1], Path(sys.argv[2])
with metadata_database() as database:
    if command == "pause":
        file.write_text(json.dumps(active_dags(database)))
    set_paused(database, json.loads(file.read_text()), command == "pause")
sys.stdout.write(json.dumps({"phases": []}))
"""

# Reading it costs time, so it is read less often than where nothing is timed.
_LOOK_SECONDS = 0.25

_MOST_SECONDS = 35
_MOST_SECONDS_OF_A_REFRESH = 30
_MOST_MEMORY = 512

#: In their order.
STEPS = ("pause", "export", "import", "verify", "compare-source", "unpause")
_REFRESH = ("export", "import", "verify")

_ADD_DAGS = """
    insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs,
                     has_task_concurrency_limits, next_dagrun)
    select dag_id, false, true, 16, 0, false, max(execution_date) from dag_run group by 1
"""


@dataclass(frozen=True)
class Step:
    """`processor_seconds` are those of all its processes and of the server, `bytes` the most that the former held."""

    seconds: float
    processor_seconds: float
    bytes: int


@dataclass
class Target:
    """`follows` is the artifact that was imported last."""

    engine: Engine
    database: str
    follows: str = "base"
    with_changes: list[dict[str, Step]] = field(default_factory=list)
    without_changes: list[dict[str, Step]] = field(default_factory=list)

    @property
    def version(self) -> str:
        return self.engine.airflow.version


def measure(laboratory: Laboratory, scale: float, runs: int) -> list[Result]:
    """
    Raises:
        RowsDiffer: a target does not have the source's rows.
    """
    airflows = [laboratory.target_airflow, install(AIRFLOW_3)]
    before = _peers(laboratory, scale, runs, airflows[1])
    deltas = _Deltas(laboratory, scale)
    base = deltas.take_base(runs)
    targets = [deltas.import_base(airflow) for airflow in airflows]
    for number in range(runs):
        for target in targets:
            target.without_changes.append(deltas.hand_over(target, f"same-{number}"))
        deltas.change_source(number)
        for target in targets:
            target.with_changes.append(deltas.hand_over(target, f"last-{number}"))
    for target in targets:
        deltas.check(target)
    results = [base]
    for target in targets:
        results += _results(target)
    downtime = {target.version: _median(target.with_changes, STEPS) for target in targets}
    return [
        *results,
        Result("mwaa-dr's backup and restore", before["mwaa-dr"], "s"),
        Result(f"`airflow db migrate` to {AIRFLOW_3} in place", before["migrate"], "s"),
        Result(f"Downtime, to {TARGET_VERSION} / mwaa-dr's", downtime[TARGET_VERSION] / before["mwaa-dr"], "ratio"),
        Result(f"Downtime, to {AIRFLOW_3} / `airflow db migrate`", downtime[AIRFLOW_3] / before["migrate"], "ratio"),
    ]


def _peers(laboratory: Laboratory, scale: float, runs: int, airflow_3: AirflowInstallation) -> dict[str, float]:
    databases = laboratory.databases
    source = databases.source(laboratory.source_airflow, scale, _dags(scale))
    peer = MwaaDr.install(laboratory.source_airflow, databases)

    def back_up_and_restore() -> None:
        peer.backup(source)
        peer.restore(TARGET)

    seconds = medians(
        [
            Contender(
                "mwaa-dr",
                back_up_and_restore,
                prepare=lambda: databases.create_fresh(laboratory.source_airflow, TARGET),
                clean=lambda: peer.forget_backup(source),
            ),
            Contender(
                "migrate",
                lambda: direct_import.migrate(databases, airflow_3),
                prepare=lambda: databases.create_copy(TARGET, source),
            ),
        ],
        runs,
    )
    databases.drop(TARGET)
    return seconds


def _dags(scale: float) -> int:
    return max(3, round(DAGS * scale))


class _Deltas:
    """A source, whose artifacts are folders of `artifacts`."""

    def __init__(self, laboratory: Laboratory, scale: float) -> None:
        databases = laboratory.databases
        self._laboratory = laboratory
        self._databases = databases
        self._artifacts = laboratory.directory / "deltas"
        self._database = databases.source(laboratory.source_airflow, scale, _dags(scale))
        databases.psql(self._database, _ADD_DAGS)
        self._source = laboratory.engine(laboratory.source_airflow, self._database)

    def take_base(self, runs: int) -> Result:
        """Leaves the base among the artifacts; returns what it and its import take of an ordinary artifact's time."""
        target = self._laboratory.engine(self._laboratory.target_airflow, TARGET)

        def move(name: str, *options: str) -> None:
            self._source.run("export", "--to", str(self._artifacts), "--id", name, *options)
            target.run("import", "--from", str(self._artifacts / name))

        def prepare(name: str) -> None:
            shutil.rmtree(self._artifacts / name, ignore_errors=True)
            self._databases.create_fresh(self._laboratory.target_airflow, TARGET)

        seconds = medians(
            [
                Contender("ordinary", lambda: move("ordinary"), prepare=lambda: prepare("ordinary")),
                Contender("base", lambda: move("base", "--as-base"), prepare=lambda: prepare("base")),
            ],
            runs,
        )
        shutil.rmtree(self._artifacts / "ordinary")
        self._databases.drop(TARGET)
        name = f"A base into {TARGET_VERSION} / an ordinary export and import"
        return Result(name, seconds["base"] / seconds["ordinary"], "ratio", 1.1)

    def import_base(self, airflow: AirflowInstallation) -> Target:
        database = self._databases.create_fresh(airflow, f"target_{airflow.version}")
        target = Target(self._laboratory.engine(airflow, database), database)
        target.engine.run("import", "--from", str(self._artifacts / "base"))
        target.engine.run("verify", "--from", str(self._artifacts / "base"))
        return target

    def change_source(self, round_: int) -> None:
        with self._databases.connection(self._database) as connection:
            logger.info("%d runs changed", changes.change_runs(connection, round_))

    def hand_over(self, target: Target, name: str) -> dict[str, Step]:
        """Moves what has changed since the artifact that the target follows; the source is unpaused again."""
        name = f"{name}-{target.version.replace('.', '-')}"
        base, delta, dags = self._artifacts / target.follows, self._artifacts / name, self._artifacts / "active.json"
        self._databases.settle()
        steps: dict[str, Step] = {}
        steps["pause"] = self._step(_set_paused(self._source, "pause", dags), self._source)
        exporting = self._source.start("export", "--to", str(self._artifacts), "--id", name, "--delta-of", str(base))
        steps["export"] = self._step(exporting, self._source)
        for command in ("import", "verify"):
            steps[command] = self._step(target.engine.start(command, "--from", str(delta)), target.engine)
        steps["compare-source"] = self._step(self._source.start("compare-source", "--from", str(delta)), self._source)
        steps["unpause"] = self._step(_set_paused(target.engine, "unpause", dags), target.engine)
        target.follows = name
        logger.info("%s: %s", name, json.dumps({step: round(of.seconds, 2) for step, of in steps.items()}))
        self._source.finish(_set_paused(self._source, "unpause", dags))
        target.engine.finish(_set_paused(target.engine, "pause", dags))
        return steps

    def _step(self, process: subprocess.Popen[str], engine: Engine) -> Step:
        """Measures a command from its start, which was just now, to its end."""
        begun, used = time.perf_counter(), self._processor_seconds()
        peak = 0

        def look() -> None:
            nonlocal peak
            peak = max(peak, memory.family_pss(process.pid))

        with memory.looking(look, _LOOK_SECONDS):
            engine.finish(process)
            seconds = time.perf_counter() - begun
        return Step(seconds, self._processor_seconds() - used, peak)

    def _processor_seconds(self) -> float:
        return processor_time.of_own_children() + processor_time.of_server(self._databases.server.directory)

    def check(self, target: Target) -> None:
        tables = direct_import.TABLES if target.version == AIRFLOW_3 else workload.TABLES
        found, expected = (self._databases.count(database, tables) for database in (target.database, self._database))
        if found != expected:
            raise RowsDiffer(f"the target has {found} rows, and the source {expected}")


def _set_paused(engine: Engine, command: str, file: Path) -> subprocess.Popen[str]:
    return engine.start_python("-c", _PAUSES, command, str(file))


def _median(hand_overs: Sequence[dict[str, Step]], steps: Sequence[str]) -> float:
    return statistics.median(sum(of[step].seconds for step in steps) for of in hand_overs)


def _results(target: Target) -> list[Result]:
    to = f"to {target.version}"
    changed = target.with_changes
    every = [step for hand_over in [*changed, *target.without_changes] for step in hand_over.values()]
    processor = [sum(step.processor_seconds for step in of.values()) for of in changed]
    refresh = _median(target.without_changes, _REFRESH)
    return [
        *(Result(f"Downtime, {to}: {step}", _median(changed, [step]), "s") for step in STEPS),
        Result(f"Downtime, {to}, 1 % of the runs changed", _median(changed, STEPS), "s", _MOST_SECONDS),
        Result(f"Downtime, {to}, 1 % of the runs changed: processor seconds", statistics.median(processor), "s"),
        Result(f"Downtime, {to}, nothing changed", _median(target.without_changes, STEPS), "s", _MOST_SECONDS),
        Result(f"Refresh, {to}, that finds nothing", refresh, "s", _MOST_SECONDS_OF_A_REFRESH),
        Result(
            f"Downtime, {to}: memory of a command at most",
            max(step.bytes for step in every) / MEGABYTE,
            "MB",
            _MOST_MEMORY,
        ),
    ]
