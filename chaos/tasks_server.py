"""The client's side of shim/tasks_server.py: one process for each Airflow version, for all environments of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chaos.silence import IMPATIENT
from local.installations import processes
from local.installations.airflow_installation import AirflowInstallation

_SERVER = Path(__file__).parent / "shim" / "tasks_server.py"
_START_SECONDS = 60.0


class TasksServerDied(Exception):
    """The process that runs tasks did not start, or has ended."""


class TasksServer:
    """Runs tasks of environments of one Airflow version."""

    def __init__(self, installation: AirflowInstallation, database_url: str, marker: str) -> None:
        """
        Args:
            database_url: any database; Airflow wants to know one when it is imported.
            marker: the local AWS's name, by which the next one finds and ends what a killed one has left.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="tasks-"))
        self._socket = self._folder / "socket"
        with (self._folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                [str(installation.python), str(_SERVER), str(self._socket)],
                env={**installation.environment(self._folder, database_url), **IMPATIENT, processes.MARKER: marker},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, request: Mapping[str, Any], started: Callable[[int], None]) -> int:
        """Runs a task to its end; `started` is told its process. Returns its code, negative for a signal."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TasksServerDied((self._folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self._socket))
            stream = connection.makefile("rw")
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            started(int(json.loads(stream.readline())["pid"]))
            return int(json.loads(stream.readline())["returncode"])

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
