"""Commands of an environment's Airflow, under the names that its version has for them.

Commands that parse the DAG folder can fail in a web server, so those used here read the database only; where a version
has none (1.10), the state of a run is unknown to this module and the caller reads results from S3.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from migration.airflow import versions
from migration.airflow.endpoint import Answer, Runner
from migration.errors import (
    CommandFailed,
    DagRunRefused,
)

# `tasks states-for-dag-run` takes run ids since 2.2, an execution date before.
_RUN_IDS = versions.Version(2, 2, 0)
# `dags state` reads the `dag` table since 2.5 and parsed the DAG's file before.
_STATE_FROM_TABLE = versions.Version(2, 5, 0)
# `--treat-dag-id-as-regex` of `dags pause` and `dags unpause`.
MANY_TOGETHER = versions.Version(2, 10, 0)
_NO_RUN = "1970-01-01T00:00:00+00:00"

_ENDED_WELL = frozenset({"success", "skipped", "removed"})
_ENDED_BADLY = frozenset({"failed", "upstream_failed"})


@dataclass(frozen=True)
class RunState:
    """State of a DAG run from those of its tasks: `running`, `success`, `failed`, or None where the CLI cannot tell."""

    state: str | None
    tasks: dict[str, str] = field(default_factory=dict)


class AirflowCli:
    """The commands that a migration needs, under the names of one Airflow version."""

    def __init__(self, run: Runner, airflow_version: str) -> None:
        self._run = run
        self._version = versions.parse(airflow_version)

    @property
    def unpauses_many(self) -> bool:
        """Whether one command can pause or unpause many DAGs."""
        return self._version >= MANY_TOGETHER

    @property
    def lists_tasks(self) -> bool:
        """Whether `tasks` works: the commands of 1.10 read the DAG's file instead."""
        return self._version.major >= 2

    def find_or_unpause(self, dag_id: str) -> bool:
        """Returns whether the environment has parsed a DAG of ours. Before 2.5 only unpausing it shows that."""
        if self._version < _STATE_FROM_TABLE:
            return self.unpause(dag_id)
        answer = self._run("dags", "state", dag_id, _NO_RUN)
        # The state is all that the command prints; where the DAG is unknown it prints to stderr only.
        return answer.succeeded and bool(answer.stdout.strip())

    def unpause(self, dag_id: str) -> bool:
        """Unpauses one DAG. False: the environment does not know it, or would not."""
        command = ("unpause",) if self._version.major == 1 else ("dags", "unpause")
        return self._run(*command, dag_id).succeeded

    def set_paused(self, dag_ids: list[str], paused: bool) -> Answer:
        """Pauses or unpauses DAGs by one command; those that already are, or are unknown, are skipped.

        Where `unpauses_many` is false, `dag_ids` has one id.
        """
        if not self.unpauses_many:
            (dag_id,) = dag_ids
            return self.set_one_paused(dag_id, paused)
        return self._run("dags", _pausing(paused), "--treat-dag-id-as-regex", "--yes", pattern_of(dag_ids))

    def set_one_paused(self, dag_id: str, paused: bool) -> Answer:
        """Pauses or unpauses a DAG by its id, in any version from 2.0 on."""
        return self._run("dags", _pausing(paused), dag_id)

    def trigger(
        self, dag_id: str, run_id: str, execution_date: str, conf: dict[str, Any], *, dated: bool = False
    ) -> bool:
        """Makes sure that a run exists. Returns whether it was created now.

        Raises DagRunRefused. Before 2.2 a run can be found by its execution date only, so the date is passed; 3.x would
        make a run without a logical date, whose tasks do not run on Amazon MWAA; with `dated` every version gets it, so
        that `runs` can find the run.
        """
        command = ["trigger_dag"] if self._version.major == 1 else ["dags", "trigger"]
        command += ["--run_id" if self._version.major == 1 else "--run-id", run_id]
        if dated or self._version < _RUN_IDS or self._version.major >= 3:
            names = {1: "--exec_date", 2: "--exec-date"}
            command += [names.get(self._version.major, "--logical-date"), execution_date]
        # No apostrophe in the JSON: the web server splits the line like a shell.
        command += ["--conf", json.dumps(conf).replace("'", "\\u0027"), dag_id]
        answer = self._run(*command)
        # The exception's name in the traceback is the only sign of it, whatever the status.
        if re.search(r"^airflow\.exceptions\.DagRunAlreadyExists", answer.stderr, re.MULTILINE):
            return False
        if answer.succeeded and is_seen(run_id, answer.stdout):
            return True
        raise DagRunRefused(
            f"{dag_id}: Airflow did not create run {run_id}: {answer.last_words()}. Look at the web server's log group."
        )

    def run_state(self, dag_id: str, run_id: str, execution_date: str) -> RunState:
        """The state of a run and of its tasks."""
        if self._version.major == 1:
            # The only state command of 1.10 parses, so it gets our own file alone.
            answer = self._run("dag_state", "--subdir", f"DAGS_FOLDER/{dag_id}.py", dag_id, execution_date)
            return RunState(_dag_state(answer) if answer.succeeded else None)
        answer = self._run(*self._states_of(dag_id, run_id, execution_date))
        if not answer.succeeded:
            return RunState(None)
        rows = json_of(answer.stdout)
        return run_state_of({row["task_id"]: row["state"] or "none" for row in rows or []})

    def runs(self, dag_id: str, since: str | None = None, until: str | None = None) -> list[dict[str, Any]]:
        """A DAG's runs (`run_id`, `state`, `start_date`, `end_date`), the latest first; from 2.0 on.

        `since` and `until` are ISO 8601 and limit the logical date. Raises CommandFailed.
        """
        command = ["dags", "list-runs", "--output", "json"]
        for name, date in (("--start-date", since), ("--end-date", until)):
            command += [name, date] if date is not None else []
        command += ["--dag-id", dag_id] if self._version.major < 3 else [dag_id]
        return self._rows(*command)

    def tasks(self, dag_id: str, run_id: str, execution_date: str = "") -> list[dict[str, Any]]:
        """A run's task instances (`task_id`, `state`, `start_date`, `end_date`); from 2.0 on. Raises CommandFailed.

        The run is found by its `execution_date` before 2.2.
        """
        return self._rows(*self._states_of(dag_id, run_id, execution_date))

    def _states_of(self, dag_id: str, run_id: str, execution_date: str) -> tuple[str, ...]:
        run = run_id if self._version >= _RUN_IDS else execution_date
        return "tasks", "states-for-dag-run", "--output", "json", dag_id, run

    def _rows(self, *command: str) -> list[dict[str, Any]]:
        answer = self._run(*command)
        rows = json_of(answer.stdout) if answer.succeeded else None
        if rows is None:
            raise CommandFailed(
                f"`airflow {' '.join(command[:2])}` failed in the environment: {answer.last_words() or 'no output'}. "
                "Look at the web server's log group."
            )
        return rows

    def delete_dag(self, dag_id: str) -> bool:
        """Deletes a DAG's rows; returns whether there were any. Its file must be gone, or they come back."""
        if self._version.major == 1:
            # 1.10 has no command that says so without reading the file.
            return self._run("delete_dag", "--yes", dag_id).succeeded
        known = self.find_or_unpause(dag_id)
        if known:
            self._run("dags", "delete", "--yes", dag_id)
        return known

    def import_errors(self) -> list[dict[str, Any]] | None:
        """Import errors of the DAG folder (`filepath`, `error`), or None where the command fails."""
        answer = self._run("dags", "list-import-errors", "--output", "json")
        # Before 3.0 the command exits with 1 when there are errors: its output decides.
        return json_of(answer.stdout)

    def dags(self) -> list[dict[str, Any]] | None:
        """The DAGs that the environment knows (`dag_id`...), or None where the command fails."""
        answer = self._run("dags", "list", "--output", "json")
        return json_of(answer.stdout) if answer.succeeded else None


def pattern_of(dag_ids: list[str]) -> str:
    """The regular expression, PostgreSQL's as well as Python's, for exactly these DAGs."""
    return f"^({'|'.join(re.escape(dag_id) for dag_id in dag_ids)})$"


def _pausing(paused: bool) -> str:
    return "pause" if paused else "unpause"


def run_state_of(tasks: dict[str, str]) -> RunState:
    """A run's state from its tasks' states (`success`, `none`, `up_for_retry`...)."""
    states = set(tasks.values())
    if not states:
        return RunState(None)
    if states <= _ENDED_WELL:
        return RunState("success", tasks)
    # A task without a state beside a failed one may still get its turn: only ended tasks end a run.
    return RunState("failed" if states <= _ENDED_WELL | _ENDED_BADLY else "running", tasks)


def is_seen(word: str, stdout: str) -> bool:
    """Whether a word stands in a command's output, in one piece or folded in a column of its table (200 wide)."""
    wanted = "".join(word.split())
    columns: list[str] = []
    for line in stdout.splitlines():
        for number, cell in enumerate(line.split("|")):
            if number == len(columns):
                columns.append("")
            columns[number] += "".join(cell.split())
    return any(wanted in text for text in ("".join(stdout.split()), *columns))


def json_of(stdout: str) -> list[dict[str, Any]] | None:
    """The JSON list in a command's output, after any log lines; None if there is none."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^\s*\[(?=\s*[{\]])", stdout, re.MULTILINE):
        try:
            rows, _ = decoder.raw_decode(stdout, match.end() - 1)
        except ValueError:
            continue
        if isinstance(rows, list):
            return rows
    return None


def _dag_state(answer: Answer) -> str | None:
    words = answer.stdout.split()
    last = words[-1] if words else ""
    return last if last in ("running", "success", "failed") else None
