"""The running Airflow of one environment: its processes, kept running, and its commands."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from pathlib import Path

from local.aws.repeating import Repeating
from local.installations import ports, processes
from local.installations.airflow_installation import AirflowCommandFailed, AirflowInstallation
from local.installations.fork_server import ForkedProcess
from local.mwaa import airflow_variables, database_access
from local.mwaa.airflow_commands import AirflowCommands
from local.mwaa.airflow_variables import AirflowSettings
from local.mwaa.dag_folders import DagFolders
from local.mwaa.metadata_database import MetadataDatabase

logger = logging.getLogger(__name__)

#: Seconds that Airflow's migrations may take.
_MIGRATION_TIMEOUT = 300.0
#: Seconds that a scheduler may take until its first heartbeat.
_START_TIMEOUT = 180.0
#: The age in seconds up to which a heartbeat counts.
_FRESH = 15.0
#: Seconds between two checks whether a process has ended.
_CHECK_INTERVAL = 1.0


class AirflowDidNotStart(Exception):
    """A process of the environment ended, or its scheduler had no heartbeat in time; the message ends with its log."""


class AirflowProcesses:
    """One Airflow version on one metadata database, started and stopped as a whole.

    A process that ends in between is started again, as Amazon MWAA does.
    """

    def __init__(
        self,
        installation: AirflowInstallation,
        home: Path,
        database: MetadataDatabase,
        marker: str,
        settings: AirflowSettings,
    ) -> None:
        """
        Args:
            home: AIRFLOW_HOME, with `dags`, `plugins` and `logs`.
            marker: by which the processes are found again.
        """
        self.installation = installation
        self.home = home
        self.output = home / "processes"
        self._folders = DagFolders.of_home(home)
        self._database = database
        self._database_proxy = settings.database_proxy
        self._marker = marker
        self._processes: dict[str, subprocess.Popen[bytes] | ForkedProcess] = {}
        self._keeper: Repeating | None = None
        self._commands: AirflowCommands | None = None
        self._web_port: int | None = None
        self._api_port = ports.free_port() if installation.release >= (3,) else None
        #: The environment variables of every process.
        self.environment = airflow_variables.variables(
            installation, home, database.name, marker, settings, self._api_port
        )

    def migrate_database(self) -> None:
        """Migrates the database to this version's head, before `start`, which then need not import Airflow.

        Raises:
            AirflowCommandFailed: the migrations failed.
        """
        self._migrate(self.installation.migration_command, self.installation.version)

    def downgrade_database(self, version: str) -> None:
        """Takes the database back to the head of an older version, and ends what has imported this one.

        Raises:
            AirflowCommandFailed: the migrations failed.
        """
        self._migrate(["db", "downgrade", "--to-version", version, "--yes"], version)
        self.stop(patience=0)

    def start(self) -> None:
        """Returns when the scheduler (and on 3.x the API server) works.

        Raises:
            AirflowDidNotStart: it does not.
        """
        self._import_airflow()
        for name in self._components():
            self._start_component(name)
        deadline = time.monotonic() + _START_TIMEOUT
        started = time.monotonic()
        while True:
            self._check_alive()
            age = self._database.heartbeat_age("SchedulerJob")
            if age is not None and age < min(_FRESH, time.monotonic() - started + 1) and self._api_answers():
                break
            if time.monotonic() > deadline:
                raise AirflowDidNotStart(
                    f"Airflow {self.installation.version} had no heartbeat in {_START_TIMEOUT:.0f} s:\n"
                    f"{self._last_output('scheduler')}"
                )
            time.sleep(0.5)
        self._keeper = Repeating(self._restart_ended, _CHECK_INTERVAL, f"processes of {self.home.parent.name}")
        self._keeper.start()

    def stop(self, patience: float = 10.0) -> None:
        """Ends every process, those of running tasks too; what has not ended after `patience` seconds is killed."""
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        for process in self._processes.values():
            if patience > 0:
                # Not its group: a scheduler ends its own children, and complains when somebody else has.
                process.terminate()
        deadline = time.monotonic() + patience
        for process in self._processes.values():
            try:
                process.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        # The last: it says how the others have ended.
        if self._commands is not None:
            self._commands.stop()
            self._commands = None
        self._web_port = None
        processes.end(self._marker, patience=min(2.0, patience))

    def kill(self, component: str) -> None:
        """Kills a process (`scheduler`) as the loss of its container would; its tasks run on."""
        self._processes[component].kill()

    def _migrate(self, command: list[str], version: str) -> None:
        done = self._import_airflow().run(command, _MIGRATION_TIMEOUT)
        if done.returncode != 0:
            self.stop(patience=0)
            printed = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise AirflowCommandFailed(f"the database was not migrated to {version}:\n{printed}")

    def _import_airflow(self) -> AirflowCommands:
        if self._commands is None:
            self.output.mkdir(parents=True, exist_ok=True)
            on_web_server = self._folders.environment(self.environment, self._folders.web_server)
            self._commands = AirflowCommands(self.installation, on_web_server, self.home, self.output / "cli.log")
        return self._commands

    def _restart_ended(self) -> None:
        for name in self._components():
            process = self._processes[name]
            if process.poll() is not None:
                logger.warning("%s of %s ended with %s", name, self.home.parent.name, process.returncode)
                self._start_component(name)

    def command(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Runs `airflow <arguments>` to its end.

        Raises:
            AirflowDidNotStart: it was not started, or has been stopped.
            subprocess.TimeoutExpired: the command was killed after `timeout` seconds.
        """
        return self._commands_that_run().run(arguments, timeout)

    def trigger_held(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        """The same for `dags trigger` on Airflow 3, whose run stays queued."""
        return self._commands_that_run().run(arguments, timeout, hold_run=True)

    def _commands_that_run(self) -> AirflowCommands:
        if self._commands is None:
            raise AirflowDidNotStart(f"the Airflow of {self.home.parent.name} does not run")
        return self._commands

    def start_rest_api(self) -> str:
        """Starts the web server unless it runs (from 3.0 on it always does); returns the base URL of the REST API.

        Raises:
            AirflowDidNotStart: the web server does not answer.
        """
        if self._api_port is not None:
            return f"http://127.0.0.1:{self._api_port}/api/v2"
        if self._web_port is None:
            self._web_port = ports.free_port()
            (self.home / "webserver_config.py").write_text(_WEB_SERVER_CONFIGURATION)
            self._start("webserver", ["webserver", "--port", str(self._web_port), "--workers", "1"], None)
            deadline = time.monotonic() + _START_TIMEOUT
            while not ports.is_open(self._web_port):
                self._check_alive()
                if time.monotonic() > deadline:
                    raise AirflowDidNotStart(f"the web server does not answer:\n{self._last_output('webserver')}")
                time.sleep(0.5)
        return f"http://127.0.0.1:{self._web_port}/api/v1"

    def _components(self) -> tuple[str, ...]:
        release = self.installation.release
        if release >= (3,):
            return ("api-server", "scheduler", "dag-processor", "triggerer")
        return ("scheduler", "triggerer") if release >= (2, 2) else ("scheduler",)

    def _start_component(self, name: str) -> None:
        arguments = [name]
        if name == "scheduler" and self.installation.release < (3,):
            # By default it is the folder that the process had when it imported Airflow.
            arguments += ["--subdir", str(self._folders.scheduler)]
        self._start(name, arguments, None if name == "api-server" else self._folders)

    def _start(self, name: str, arguments: list[str], folders: DagFolders | None) -> None:
        assert self._commands is not None
        of_workers = database_access.of_workers(self.installation, self._database_proxy, self._database.name)
        output = self.output / f"{name}.log"
        self._processes[name] = self._commands.start(arguments, output, folders, of_workers)

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowDidNotStart(
                    f"{name} of Airflow {self.installation.version} ended with {process.returncode}:\n"
                    f"{self._last_output(name)}"
                )

    def _api_answers(self) -> bool:
        return self._api_port is None or ports.is_open(self._api_port)

    def _last_output(self, name: str) -> str:
        file = self.output / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-20:]) if file.exists() else ""


#: Everybody on this machine may use an environment's web server; it listens on 127.0.0.1 only.
_WEB_SERVER_CONFIGURATION = """\
from flask_appbuilder.security.manager import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_ROLE_PUBLIC = "Admin"
WTF_CSRF_ENABLED = False
"""
