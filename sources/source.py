"""Makes a source: migrates its database, runs a real scheduler over the DAGs, and keeps a dump of what came out."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2

from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowInstallation
from local.installations.file_lock import exclusively
from local.installations.folders import BUILD
from local.installations.postgres import PostgresServer
from sources.dags import contents
from sources.seed import seed

HERE = Path(__file__).parent
DUMPS = BUILD / "sources"

#: The sources' key. Constant, because the dumps hold what it encrypted.
FERNET_KEY = base64.urlsafe_b64encode(hashlib.sha256(b"the sources of mwaa-migrator's tests").digest()).decode()

_SECONDS_TO_FILL = 900


class SourceNotFilled(Exception):
    """The DAG runs did not come to their end; the message says which, and what the scheduler printed last."""


class XCom(NamedTuple):
    task_id: str
    key: str
    map_index: int


@dataclass(frozen=True)
class Source:
    """An Airflow deployment that is not running, with a filled metadata database."""

    installation: AirflowInstallation
    server: PostgresServer
    database: str
    home: Path
    fernet_key: str

    @property
    def version(self) -> str:
        return self.installation.version

    @property
    def url(self) -> str:
        """The metadata database's URL, for SQLAlchemy."""
        return self.server.url(self.database)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its Airflow processes."""
        quick = {
            "scheduler__scheduler_heartbeat_sec": "1",
            "scheduler__job_heartbeat_sec": "1",
            "scheduler__min_file_process_interval": "10",
            "scheduler__dag_dir_list_interval": "10",
            "core__parallelism": "6",
            # 1.10 looks for the word "airflow" in a file, and the DAGs here import it through `support`.
            "core__dag_discovery_safe_mode": "False",
            "logging__logging_level": "WARNING",
        }
        if self.installation.release < (2, 0):
            # MWAA sets it, and from 2.0 on it is always so.
            quick["core__store_serialized_dags"] = "True"
            # Its scheduler looks for what to start only where it parses.
            quick["scheduler__min_file_process_interval"] = "3"
            quick["core__logging_level"] = quick.pop("logging__logging_level")
        return self.installation.environment(self.home, self.url, core__fernet_key=self.fernet_key, **quick)

    def query(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The rows that a statement returns."""
        connection = psycopg2.connect(self.server.dsn(self.database))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def xcoms(self, dag_id: str, run_id: str) -> dict[XCom, Any]:
        """A run's XComs, as Airflow's own API reads them."""
        return read_xcoms(self.installation, self.environment, dag_id, run_id)


def make_source(version: str, server: PostgresServer, directory: Path) -> Source:
    """A source of that version, in a new database of `server`, with AIRFLOW_HOME in `directory`.

    The first one takes a minute or two: DAGs really run. What they left is kept as a dump in build/sources/, under a
    name that changes with what it depends on, so the next one takes seconds. A source from a dump has no task logs.

    Raises:
        SourceNotFilled: the DAG runs did not end as `dags/contents.py` says.
        local.installations.airflow_installation.UnknownAirflowVersion: there is no lock file for that version.
    """
    installation = airflow_installation.install(version)
    source = Source(installation, server, f"source_{version.replace('.', '_')}", directory.resolve(), FERNET_KEY)
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "dags", directory / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    server.create_database(source.database)
    dump = DUMPS / f"{version}-{_fingerprint(version)}.dump"
    with exclusively(DUMPS / f"{version}.lock"):
        if not dump.exists():
            _fill(source)
            _dump(source, dump)
            return source
    _program(server, "pg_restore", "--no-owner", "--jobs=2", f"--dbname={server.dsn(source.database)}", str(dump))
    return source


def read_xcoms(
    installation: AirflowInstallation, environment: Mapping[str, str], dag_id: str, run_id: str
) -> dict[XCom, Any]:
    """A run's XComs in any Airflow deployment that has this folder's DAGs, read with its own API."""
    printed = _in_airflow(installation, environment, "xcoms", dag_id, run_id)
    values = pickle.loads(base64.b64decode(printed.splitlines()[-1]))
    return {XCom(*key): value for key, value in values.items()}


def _fill(source: Source) -> None:
    installation, environment = source.installation, source.environment
    installation.migrate_database(environment)
    _in_airflow(installation, environment, "settings")
    with _running(source) as processes:
        dags = set(contents.runs(installation.release))
        parsed = "SELECT dag_id FROM dag"
        _wait(source, processes, "not parsed", lambda: dags.difference(dag_id for (dag_id,) in source.query(parsed)))
        _in_airflow(installation, environment, "trigger")
        _wait(source, processes, "not finished", lambda: _outstanding(source))
    seed(source.server.dsn(source.database))


@contextmanager
def _running(source: Source) -> Iterator[dict[str, psutil.Popen]]:
    """A scheduler, and a triggerer where there is one; killed in the end, so that tasks that run stay `running`."""
    # The option was added when the process began to serve logs, on a port that other schedulers here would want too.
    release, serves_no_logs = source.installation.release, ["--skip-serve-logs"]
    commands = {"scheduler": serves_no_logs if release >= (2, 2) else []}
    if release >= (2, 2):
        commands["triggerer"] = serves_no_logs if release >= (2, 6) else []
    processes = {}
    try:
        for command, options in commands.items():
            with _log(source, command).open("w") as log:
                processes[command] = psutil.Popen(
                    [str(source.installation.airflow), command, *options],
                    env=source.environment,
                    cwd=source.home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        yield processes
    finally:
        for process in processes.values():
            _kill(process)


def _log(source: Source, command: str) -> Path:
    return source.home / f"{command}.log"


def _kill(process: psutil.Popen) -> None:
    """Kills a process and all under it: workers and tasks have process groups of their own."""
    if process.poll() is not None:
        return
    # A stopped process starts no others between the listing and the kill.
    process.suspend()
    for below in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            below.suspend()
    tree = [process, *process.children(recursive=True)]
    for each in tree:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(tree, timeout=10)


def _outstanding(source: Source) -> object:
    """What still has to happen until the history is as `contents` says."""
    release = source.installation.release
    finished = {
        dag_id: (ended, others)
        for dag_id, ended, others in source.query(
            """
            SELECT dag_id, count(*) FILTER (WHERE state IN ('success', 'failed')),
                   count(*) FILTER (WHERE state NOT IN ('success', 'failed'))
            FROM dag_run GROUP BY dag_id
            """
        )
    }
    wanted = {dag_id: (count, 0) for dag_id, count in contents.runs(release).items()}
    wanted[contents.UNFINISHED] = (0, 1)
    tasks: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    for dag_id, task_id, state in source.query("SELECT dag_id, task_id, state FROM task_instance"):
        tasks[dag_id][task_id] = state
    outstanding: dict[str, object] = {
        dag_id: {"runs": finished.get(dag_id), "wanted": counts, "tasks": tasks[dag_id]}
        for dag_id, counts in wanted.items()
        if finished.get(dag_id) != counts
    }
    wanted_states = contents.unfinished_states(release)
    if {task_id: tasks[contents.UNFINISHED].get(task_id, "no") for task_id in wanted_states} != wanted_states:
        outstanding[contents.UNFINISHED] = {"tasks": tasks[contents.UNFINISHED], "wanted": wanted_states}
    return outstanding


def _wait(source: Source, processes: Mapping[str, psutil.Popen], what: str, outstanding: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_FILL
    while left := outstanding():
        dead = [command for command, process in processes.items() if process.poll() is not None]
        if dead or time.monotonic() > deadline:
            command = dead[0] if dead else "scheduler"
            problem = f"its {command} has ended" if dead else f"after {_SECONDS_TO_FILL} s"
            last_lines = _log(source, command).read_text(errors="replace").splitlines()[-40:]
            raise SourceNotFilled(
                f"Airflow {source.version}: {problem}, {what}: {left}\nThe last lines of the {command}:\n"
                + "\n".join(last_lines)
            )
        time.sleep(0.5)


def _in_airflow(installation: AirflowInstallation, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [str(installation.python), str(HERE / "in_airflow.py"), *arguments],
        env=dict(environment),
        cwd=environment["AIRFLOW_HOME"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SourceNotFilled(f"{' '.join(arguments)} failed in Airflow {installation.version}:\n{done.stderr}")
    return done.stdout


def _dump(source: Source, dump: Path) -> None:
    unfinished = dump.with_suffix(f".{os.getpid()}")
    _program(
        source.server,
        "pg_dump",
        "--format=custom",
        "--compress=1",
        f"--file={unfinished}",
        source.server.dsn(source.database),
    )
    unfinished.rename(dump)


def _program(server: PostgresServer, name: str, *arguments: str) -> None:
    done = subprocess.run([str(server.program(name)), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SourceNotFilled(f"{name} failed:\n{done.stderr}")


def _fingerprint(version: str) -> str:
    """Of everything that decides what is in a dump."""
    digest = hashlib.sha256()
    made_by = [
        *sorted((HERE / "dags").glob("*.py")),
        *(HERE / f"{name}.py" for name in ("in_airflow", "seed", "source")),
    ]
    for file in (*made_by, airflow_installation.lock_file(version)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
