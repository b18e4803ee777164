"""An environment's real Airflow, in whose metadata database tasks of ours are watched for."""

from __future__ import annotations

import psycopg2

from chaos import task_starts
from local.aws.repeating import Repeating
from local.mwaa.airflow_processes import AirflowProcesses

_POLL_SECONDS = 0.1


class WatchedAirflow(AirflowProcesses):
    """Announces each attempt of a task to `task_starts`."""

    # None where Airflow did not start.
    _watcher: Repeating | None = None

    def start(self) -> None:
        super().start()
        self._announced: set[int] = set()
        self._connection = psycopg2.connect(self._database.dsn)
        self._connection.autocommit = True
        self._watcher = Repeating(self._watch, _POLL_SECONDS, f"tasks of {self.home.parent.name}")
        self._watcher.start()

    def stop(self, patience: float = 10.0) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._connection.close()
        super().stop(patience)

    def _watch(self) -> None:
        with self._connection.cursor() as cursor:
            # A task's process writes its id before any code of ours runs; until then the row has the id of the attempt
            # before.
            cursor.execute(
                "select pid from task_instance "
                "where dag_id like 'mwaa_migrator_%' and state = 'running' and pid is not null"
            )
            for (process,) in cursor.fetchall():
                if process not in self._announced:
                    self._announced.add(process)
                    task_starts.announce(process, self)
