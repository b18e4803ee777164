"""The airflow commands of one environment, in forks of a process that has imported Airflow."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.installations.airflow_installation import AirflowInstallation
from local.installations.fork_server import ForkedProcess, ForkServer, ForkServerDied
from local.mwaa.dag_folders import DagFolders

_WORKER = Path(__file__).parent / "shim" / "airflow_command.py"


class AirflowCommands:
    """Amazon MWAA starts the `airflow` program for each command, which takes seconds; this does not.

    It starts the scheduler and its like, too: the same command in a process of its own.
    """

    def __init__(
        self, installation: AirflowInstallation, environment: Mapping[str, str], home: Path, log: Path
    ) -> None:
        self._installation = installation
        self._environment = environment
        self._home = home
        self._server = ForkServer(installation.python, _WORKER, environment, home, log)

    def run(
        self, arguments: list[str], timeout: float, *, hold_run: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs `airflow <arguments>` to its end.

        Args:
            hold_run: whether a run that it triggers stays queued; for Airflow 3.

        Raises:
            subprocess.TimeoutExpired: it was killed after `timeout` seconds.
        """
        try:
            # The program would take no less time to import Airflow.
            self._server.wait()
        except ForkServerDied:
            return self._run_program(arguments, timeout)
        with tempfile.TemporaryDirectory(prefix="command-") as folder:
            out, err = Path(folder, "stdout"), Path(folder, "stderr")
            code = self._server.run({"arguments": arguments, "hold_run": hold_run}, out, err, timeout)
            printed = [file.read_bytes() if file.exists() else b"" for file in (out, err)]
        return subprocess.CompletedProcess(["airflow", *arguments], code, *printed)

    def start(
        self,
        arguments: list[str],
        output: Path,
        folders: DagFolders | None = None,
        variables_of_workers: Mapping[str, str | None] | None = None,
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        """Starts `airflow <arguments>`, which runs on in a process group of its own.

        Args:
            output: gets what it prints.
            folders: for what is not on the web server.
            variables_of_workers: what the tasks that it starts have otherwise; None for a variable that they lack.
        """
        request: dict[str, Any] = {"arguments": arguments}
        if folders is not None:
            request |= {"dag_folder": str(folders.scheduler), "dag_folder_of_workers": str(folders.workers)}
            request["variables_of_workers"] = dict(variables_of_workers or {})
        # A process without Airflow says why it cannot be imported.
        with contextlib.suppress(ForkServerDied):
            self._server.wait()
            return self._server.start(request, output)
        with output.open("ab") as file:
            return subprocess.Popen(
                [str(self._installation.airflow), *arguments],
                env=dict(self._environment),
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _run_program(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(self._installation.airflow), *arguments],
            env=dict(self._environment),
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def stop(self) -> None:
        self._server.stop()
