"""An environment's real Airflow, whose metadata database is watched for tasks of ours that start."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg2

from local.mwaa.airflow_processes import AirflowProcesses
from tests.chaos import task_starts

_POLL_SECONDS = 0.1


class WatchedAirflow(AirflowProcesses):
    """Tells `task_starts` of every attempt of a task."""

    # None where Airflow did not start.
    _watcher: threading.Thread | None = None

    def start(self) -> None:
        super().start()
        self._no_more = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"tasks of {self.home.parent.name}", daemon=True)
        self._watcher.start()

    def stop(self, patience: float = 10.0) -> None:
        if self._watcher is not None:
            self._no_more.set()
            self._watcher.join()
        super().stop(patience)

    def _watch(self) -> None:
        told: set[int] = set()
        with closing(psycopg2.connect(self._database.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not self._no_more.wait(_POLL_SECONDS):
                # A task's process writes its number before anything of ours runs; the number of the attempt before
                # stands there until then.
                cursor.execute(
                    "select pid from task_instance "
                    "where dag_id like 'mwaa_migrator_%' and state = 'running' and pid is not null"
                )
                for (process,) in cursor.fetchall():
                    if process not in told:
                        told.add(process)
                        task_starts.tell(process, self)
