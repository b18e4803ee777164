"""Runs tasks of our DAGs for light environments: one process for each Airflow version, for all environments of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chaos.no_answer import SHORT_TIMEOUTS
from local.installations import processes
from local.installations.airflow_installation import AirflowInstallation
from local.installations.fork_server import ForkServer

_WORKER = Path(__file__).parent / "shim" / "airflow_task.py"


class TaskRunner:
    """Tasks of one Airflow version."""

    def __init__(self, installation: AirflowInstallation, database_url: str, marker: str) -> None:
        """
        Args:
            database_url: any database; Airflow asks for one when it is imported.
            marker: the local AWS's name, by which the next one finds and ends what a killed one has left.
        """
        self._home = Path(tempfile.mkdtemp(prefix="tasks-"))
        environment = {**installation.environment(self._home, database_url), **SHORT_TIMEOUTS, processes.MARKER: marker}
        self._server = ForkServer(installation.python, _WORKER, environment, self._home, self._home / "log")

    def run(self, request: Mapping[str, Any], output: Path, started: Callable[[int], None]) -> int:
        """Runs a task to its end; see shim/airflow_task.py. Returns its exit code, negative for a signal.

        Args:
            output: the file to which the task's output is appended.
            started: called with the task's process.

        Raises:
            local.installations.fork_server.ForkServerDied: the process for this version is not there.
        """
        self._server.wait()
        return self._server.run(request, output, output, started=started)

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self._home, ignore_errors=True)
