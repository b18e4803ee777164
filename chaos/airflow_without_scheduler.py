"""An environment's Airflow without scheduler and web server: our DAGs' own code on a real metadata database.

Commands are answered from the database, with the output of Airflow's own (`tests/e2e/test_airflow_commands.py` holds
the functions to the real ones). A DAG is a file of its name in the DAG folder. Only runs of our DAGs are run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar, NamedTuple

import psycopg2

from chaos import task_starts
from chaos.no_answer import SHORT_TIMEOUTS
from chaos.task_runner import TaskRunner
from local.mwaa.airflow_processes import AirflowProcesses
from local.mwaa.dag_folders import DagFolders

#: Tasks of our DAGs, as dags/mwaa_migrator_*.py have them, and their retries, which begin sooner here.
TASKS = {
    "mwaa_migrator_export": ("quiesce", "drain", "export", "compare"),
    "mwaa_migrator_import": ("import", "verify"),
    "mwaa_migrator_resume": ("resume",),
}
RETRIES = 3
_RETRY_SECONDS = 1.0
# The exit code for airflow.exceptions.AirflowFailException; see shim/airflow_task.py.
_FAILED_FOR_GOOD = 2
_POLL_SECONDS = 0.2


class _Creation(NamedTuple):
    """Statements that make a run and one of its task instances."""

    run: str
    task_instance: str


_CREATE_RUN = _Creation(
    "insert into dag_run (dag_id, run_id, conf, execution_date, state, run_type, clear_number, external_trigger) "
    "values (%s, %s, %s, now(), 'queued', 'manual', 0, true) on conflict do nothing",
    "insert into task_instance (dag_id, run_id, task_id, map_index, pool, pool_slots) "
    "values (%s, %s, %s, -1, 'default_pool', 1)",
)
#: For Airflow 3, which has no worker here.
_CREATE_FAILED_RUN = _Creation(
    "insert into dag_run (dag_id, run_id, conf, logical_date, run_after, state, run_type, clear_number) "
    "values (%s, %s, convert_from(%s, 'UTF8')::jsonb, now(), now(), 'failed', 'manual', 0) on conflict do nothing",
    "insert into task_instance (id, dag_id, run_id, task_id, map_index, try_number, pool, pool_slots, state) "
    "values (gen_random_uuid(), %s, %s, %s, -1, 1, 'default_pool', 1, 'failed')",
)


class AirflowWithoutScheduler(AirflowProcesses):
    """For 2.10 and 2.11, whose tables have the columns named here, and for what follows a hop to Airflow 3."""

    #: By version; made and stopped by the world that the environments are in.
    runners: ClassVar[dict[str, TaskRunner]] = {}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stopped = threading.Event()
        self._running: set[int] = set()
        self._scheduler = threading.Thread(
            target=self._schedule, name=f"scheduler of {self.home.parent.name}", daemon=True
        )

    def migrate_database(self) -> None:
        # It has no process that has imported Airflow.
        self.installation.migrate_database(self.environment)

    def start(self) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        self._scheduler.start()

    @property
    def _active(self) -> str:
        """The condition on a row of `dag` that its file is there."""
        return "is_active" if self.installation.release < (3,) else "not is_stale"

    def stop(self, patience: float = 10.0) -> None:
        self._stopped.set()
        for pid in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        if self._scheduler.is_alive():
            self._scheduler.join()

    # The scheduler

    def _schedule(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                self._parse()
                for dag, run, conf in self._due() if self.installation.release < (3,) else ():
                    self._run(dag, run, conf)
            except psycopg2.OperationalError:
                # The database is gone with its environment, or a fault has ended the session.
                continue

    def _parse(self) -> None:
        """Makes a row for each DAG file; DAGs without a file become inactive."""
        found = {file.stem: str(file) for file in (self.home / "dags").glob("*.py")}
        if self.installation.release >= (3,):
            # It was upgraded in place, so it has a row for each file.
            with self._cursor() as cursor:
                cursor.execute("update dag set is_stale = not dag_id = any(%s)", (sorted(found),))
            return
        with self._cursor() as cursor:
            cursor.execute("select dag_id from dag where is_active")
            active = {dag for (dag,) in cursor.fetchall()}
            for dag in sorted(found.keys() - active):
                cursor.execute(
                    "insert into dag (dag_id, is_paused, is_active, is_subdag, fileloc, owners, schedule_interval, "
                    "max_active_tasks, max_active_runs, max_consecutive_failed_dag_runs, has_import_errors, "
                    "has_task_concurrency_limits) "
                    "values (%s, %s, true, false, %s, 'team', '\"@daily\"', 16, 16, 0, false, false) "
                    "on conflict (dag_id) do update set is_active = true, fileloc = excluded.fileloc",
                    # Ours are created active, everybody else's paused (core.dags_are_paused_at_creation).
                    (dag, dag not in TASKS, found[dag]),
                )
            cursor.execute(
                "update dag set is_active = false where is_active and not dag_id = any(%s)", (sorted(found),)
            )

    def _due(self) -> list[tuple[str, str, Any]]:
        with self._cursor() as cursor:
            cursor.execute(
                "select r.dag_id, r.run_id, r.conf from dag_run r join dag d using (dag_id) where r.state = 'queued' "
                "and r.dag_id = any(%s) and d.is_active and not d.is_paused order by r.id",
                (sorted(TASKS),),
            )
            return [(dag, run, json.loads(bytes(conf))) for dag, run, conf in cursor.fetchall()]

    def _run(self, dag: str, run: str, conf: Any) -> None:
        self._set(dag, run, "running")
        tasks = TASKS[dag]
        for task in tasks:
            for _ in range(1 + RETRIES):
                self._set_task(dag, run, task, "running")
                code = self._task(dag, task, run, conf)
                if self._stopped.is_set():
                    return
                if code in (0, _FAILED_FOR_GOOD):
                    break
                self._set_task(dag, run, task, "up_for_retry")
                self._stopped.wait(_RETRY_SECONDS)
            self._set_task(dag, run, task, "failed" if code else "success")
            if code:
                for following in tasks[tasks.index(task) + 1 :]:
                    self._set_task(dag, run, following, "upstream_failed")
                self._set(dag, run, "failed")
                return
        self._set(dag, run, "success")

    def _task(self, dag: str, task: str, run: str, conf: Any) -> int:
        folders = DagFolders.of_home(self.home)
        if not (folders.workers / f"{dag}.py").exists():
            # The worker has not got it yet; a real Airflow's task fails as well, before it has done anything.
            return 1
        on_worker = folders.environment(self.environment, folders.workers)
        path = os.pathsep.join([SHORT_TIMEOUTS["PYTHONPATH"], on_worker["PYTHONPATH"]])
        request = {
            "environment": {**on_worker, **SHORT_TIMEOUTS, "PYTHONPATH": path},
            "dags": str(folders.workers),
            "task": task,
            "run_id": run,
            "conf": conf,
        }
        running: list[int] = []

        def started(pid: int) -> None:
            running.append(pid)
            self._running.add(pid)
            task_starts.announce(pid, self)

        code = self.runners[self.installation.version].run(request, self.output / f"{task}.log", started)
        self._running.difference_update(running)
        return code

    def _set(self, dag: str, run: str, state: str) -> None:
        with self._cursor() as cursor:
            cursor.execute("update dag_run set state = %s where dag_id = %s and run_id = %s", (state, dag, run))

    def _set_task(self, dag: str, run: str, task: str, state: str) -> None:
        with self._cursor() as cursor:
            cursor.execute(
                "update task_instance set state = %s, start_date = coalesce(start_date, now()), "
                "end_date = case when %s then null else now() end "
                "where dag_id = %s and run_id = %s and task_id = %s",
                (state, state == "running", dag, run, task),
            )

    # The command line

    def command(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        first, second, *rest = arguments
        known: dict[tuple[str, str], Callable[[list[str]], tuple[int, str, str]]] = {
            ("dags", "state"): self._dags_state,
            ("dags", "pause"): lambda words: self._dags_pause(words, paused=True),
            ("dags", "unpause"): lambda words: self._dags_pause(words, paused=False),
            ("dags", "trigger"): self._dags_trigger,
            ("dags", "list"): self._dags_list,
            ("dags", "list-import-errors"): lambda words: (0, "[]\n", ""),
            ("dags", "delete"): self._dags_delete,
            ("tasks", "states-for-dag-run"): self._tasks_states,
        }
        code, out, err = known[first, second](rest)
        return subprocess.CompletedProcess(arguments, code, out.encode(), err.encode())

    def _dags_state(self, words: list[str]) -> tuple[int, str, str]:
        with self._cursor() as cursor:
            cursor.execute("select 1 from dag where dag_id = %s", (words[0],))
            known = cursor.fetchone() is not None
        return (0, "None\n", "") if known else (1, "", f"Dag id {words[0]} not found in DagModel\n")

    def _dags_pause(self, words: list[str], *, paused: bool) -> tuple[int, str, str]:
        *options, dag = words
        condition = "dag_id ~ %s" if "--treat-dag-id-as-regex" in options else "dag_id = %s"
        with self._cursor() as cursor:
            cursor.execute(
                f"update dag set is_paused = %s where {condition} and is_paused <> %s",  # one of two
                (paused, dag, paused),
            )
            return 0, f"{cursor.rowcount} DAGs changed\n", ""

    def _dags_trigger(self, words: list[str]) -> tuple[int, str, str]:
        run, conf, dag = words[words.index("--run-id") + 1], words[words.index("--conf") + 1], words[-1]
        with self._cursor() as cursor:
            cursor.execute(f"select 1 from dag where dag_id = %s and {self._active}", (dag,))
            if cursor.fetchone() is None:
                return 1, "", f"airflow.exceptions.DagNotFound: Dag id {dag} not found in DagModel\n"
            create = _CREATE_RUN if self.installation.release < (3,) else _CREATE_FAILED_RUN
            cursor.execute(create.run, (dag, run, json.dumps(json.loads(conf)).encode()))
            if not cursor.rowcount:
                return 1, "", f"airflow.exceptions.DagRunAlreadyExists: A Dag Run already exists for {dag} {run}\n"
            for task in TASKS[dag]:
                cursor.execute(create.task_instance, (dag, run, task))
        return 0, f"Created <DagRun {dag} @ {run}>\n", ""

    def _dags_list(self, words: list[str]) -> tuple[int, str, str]:
        with self._cursor() as cursor:
            cursor.execute(f"select dag_id, fileloc, owners, is_paused from dag where {self._active} order by 1")
            rows = [
                {"dag_id": dag, "fileloc": file, "owners": owners, "is_paused": str(paused)}
                for dag, file, owners, paused in cursor.fetchall()
            ]
        return 0, json.dumps(rows) + "\n", ""

    def _dags_delete(self, words: list[str]) -> tuple[int, str, str]:
        dag = words[-1]
        with self._cursor() as cursor:
            for table in ("task_instance", "dag_run", "dag"):
                cursor.execute(f"delete from {table} where dag_id = %s", (dag,))  # constants
        return (0, "Removed\n", "") if cursor.rowcount else (1, "", f"DagNotFound: Dag id {dag} not found\n")

    def _tasks_states(self, words: list[str]) -> tuple[int, str, str]:
        dag, run = words[-2:]
        with self._cursor() as cursor:
            cursor.execute("select 1 from dag_run where dag_id = %s and run_id = %s", (dag, run))
            if cursor.fetchone() is None:
                return 1, "", f"airflow.exceptions.DagRunNotFound: DagRun for {dag} with run_id {run} not found\n"
            cursor.execute(
                "select task_id, state, start_date, end_date from task_instance where dag_id = %s and run_id = %s",
                (dag, run),
            )
            rows = [
                {
                    "dag_id": dag,
                    "task_id": task,
                    "state": state,
                    "start_date": begun.isoformat() if begun else "",
                    "end_date": ended.isoformat() if ended else "",
                }
                for task, state, begun, ended in cursor.fetchall()
            ]
        return 0, json.dumps(rows) + "\n", ""

    @contextmanager
    def _cursor(self) -> Iterator[psycopg2.extensions.cursor]:
        """One transaction, committed at the end."""
        with closing(psycopg2.connect(self._database.dsn)) as connection, connection, connection.cursor() as cursor:
            yield cursor
