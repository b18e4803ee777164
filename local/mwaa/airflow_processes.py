"""The running Airflow of one environment: its configuration, its processes, and its commands."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from local.aws.repeating import Repeating
from local.installations import processes
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa.airflow_commands import AirflowCommands
from local.mwaa.metadata_database import MetadataDatabase

logger = logging.getLogger(__name__)

_SHIM = Path(__file__).parent / "shim"

#: How long a scheduler may take to be heard of.
_START_TIMEOUT = 180.0
#: Seconds within which a heartbeat counts as news.
_FRESH = 15.0
#: Seconds between two looks at whether a process has ended.
_LOOK_INTERVAL = 1.0


class AirflowDidNotStart(Exception):
    """A process of the environment ended, or its scheduler was not heard of in time; the message ends with its log."""


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
        options: Mapping[str, str],
        secrets: Mapping[str, str],
        aws: Mapping[str, str],
        task_log_group_arn: str | None,
    ) -> None:
        """
        Args:
            home: AIRFLOW_HOME, with `dags`, `plugins` and `logs`.
            options: the environment's AirflowConfigurationOptions: {"core.parallelism": "8"}.
            secrets: `fernet_key` and `secret_key`, which stay the same over versions.
            aws: the variables of AWS's SDKs: the execution role's credentials, the endpoint, the region.
            task_log_group_arn: where Airflow's own CloudWatch handler writes and reads task logs; None: files only.
        """
        self.installation = installation
        self.home = home
        self.output = home / "processes"
        self._database = database
        self._marker = marker
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keeper: Repeating | None = None
        self._commands: AirflowCommands | None = None
        self._web_port: int | None = None
        self._api_port = _free_port() if installation.release >= (3,) else None
        self.environment = self._environment(options, secrets, aws, task_log_group_arn)

    @property
    def has_remote_task_logs(self) -> bool:
        """Whether Airflow's own handler takes task logs to CloudWatch; 1.10 has none that fits today's watchtower."""
        return self.installation.release >= (2,)

    def start(self) -> None:
        """Returns when the scheduler (and on 3.x the API server) works.

        Raises:
            AirflowDidNotStart: it does not.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        self._commands = AirflowCommands(self.installation, self.environment, self.home, self.output / "cli.log")
        for name in self._components():
            self._start(name, name)
        deadline = time.monotonic() + _START_TIMEOUT
        started = time.monotonic()
        while True:
            self._check_alive()
            age = self._database.heartbeats("SchedulerJob")
            if age is not None and age < min(_FRESH, time.monotonic() - started + 1) and self._api_answers():
                break
            if time.monotonic() > deadline:
                raise AirflowDidNotStart(
                    f"Airflow {self.installation.version} was not heard of in {_START_TIMEOUT:.0f} s:\n"
                    f"{self._last_output('scheduler')}"
                )
            time.sleep(0.5)
        self._keeper = Repeating(self._keep, _LOOK_INTERVAL, f"processes of {self.home.parent.name}")
        self._keeper.start()

    def stop(self, patience: float = 10.0) -> None:
        """Ends every process, those of running tasks too; what has not ended after `patience` seconds is killed."""
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        if self._commands is not None:
            self._commands.stop()
            self._commands = None
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
        self._web_port = None
        processes.end(self._marker, patience=min(2.0, patience))

    def kill(self, component: str) -> None:
        """Kills a process (`scheduler`), as a lost container ends it: it says no word, and its tasks run on."""
        self._processes[component].kill()

    def _keep(self) -> None:
        """Starts again what has ended."""
        for name in self._components():
            process = self._processes[name]
            if process.poll() is not None:
                logger.warning("%s of %s ended with %s", name, self.home.parent.name, process.returncode)
                self._start(name, name)

    def command(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Runs `airflow <arguments>` to its end.

        Raises:
            AirflowDidNotStart: it was not started, or has been stopped.
            subprocess.TimeoutExpired: the command was killed after `timeout` seconds.
        """
        if self._commands is None:
            raise AirflowDidNotStart(f"the Airflow of {self.home.parent.name} does not run")
        return self._commands.run(arguments, timeout)

    def rest_api(self) -> str:
        """The URL under which the REST API's paths lie; before 3.0 the web server starts when it is first asked for.

        Raises:
            AirflowDidNotStart: the web server does not answer.
        """
        if self._api_port is not None:
            return f"http://127.0.0.1:{self._api_port}/api/v2"
        if self._web_port is None:
            self._web_port = _free_port()
            (self.home / "webserver_config.py").write_text(_WEB_SERVER_CONFIGURATION)
            self._start("webserver", "webserver", "--port", str(self._web_port), "--workers", "1")
            deadline = time.monotonic() + _START_TIMEOUT
            while not _listens(self._web_port):
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

    def _start(self, name: str, *arguments: str) -> None:
        with (self.output / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [str(self.installation.airflow), *arguments],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowDidNotStart(
                    f"{name} of Airflow {self.installation.version} ended with {process.returncode}:\n"
                    f"{self._last_output(name)}"
                )

    def _api_answers(self) -> bool:
        return self._api_port is None or _listens(self._api_port)

    def _last_output(self, name: str) -> str:
        file = self.output / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-20:]) if file.exists() else ""

    def _environment(
        self,
        options: Mapping[str, str],
        secrets: Mapping[str, str],
        aws: Mapping[str, str],
        task_log_group_arn: str | None,
    ) -> dict[str, str]:
        release = self.installation.release
        config = {
            **_LOCAL_OPTIONS,
            "core__fernet_key": secrets["fernet_key"],
            "core__plugins_folder": str(self.home / "plugins"),
            "webserver__secret_key": secrets["secret_key"],
            **{name.replace(".", "__", 1).lower(): value for name, value in options.items()},
        }
        if task_log_group_arn is not None and self.has_remote_task_logs:
            config |= {
                "logging__remote_logging": "True",
                "logging__remote_base_log_folder": f"cloudwatch://{task_log_group_arn}",
                "logging__remote_log_conn_id": "",
            }
        # The servers of logs that are not in CloudWatch yet have fixed ports unless they are told others.
        section = "logging" if release >= (2, 2) else "celery"
        config |= {f"{section}__worker_log_server_port": str(_free_port())}
        config |= {"logging__trigger_log_server_port": str(_free_port())}
        if release < (2,):
            config |= {"webserver__rbac": "True"}
        elif release < (3,):
            config |= {"api__auth_backends": "airflow.api.auth.backend.default"}
            config |= {"api__auth_backend": "airflow.api.auth.backend.default"} if release < (2, 3) else {}
            config |= {"webserver__config_file": str(self.home / "webserver_config.py")}
        else:
            config |= {
                "api__host": "127.0.0.1",
                "api__port": str(self._api_port),
                "api__workers": "1",
                "api__secret_key": secrets["secret_key"],
                "api_auth__jwt_secret": secrets["secret_key"],
                "core__auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
                "core__simple_auth_manager_all_admins": "True",
                "core__execution_api_server_url": f"http://127.0.0.1:{self._api_port}/execution/",
            }
        variables = self.installation.environment(self.home, self._database.url, **config)
        variables = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
        return {
            **variables,
            **aws,
            "PYTHONPATH": str(_SHIM),
            "PYTHONUNBUFFERED": "1",
            processes.MARKER: self._marker,
        }


#: Where a machine of two cores differs from MWAA: few processes, no waiting for new files. A user's own options win.
_LOCAL_OPTIONS = {
    "core__dags_are_paused_at_creation": "True",
    "core__parallelism": "4",
    "dag_processor__min_file_process_interval": "5",
    "dag_processor__parsing_processes": "1",
    "dag_processor__refresh_interval": "5",
    "scheduler__dag_dir_list_interval": "5",
    "scheduler__max_threads": "1",
    "scheduler__min_file_process_interval": "5",
    "scheduler__parsing_processes": "1",
    "scheduler__scheduler_heartbeat_sec": "2",
}

#: Everybody on this machine may use an environment's web server; it listens on 127.0.0.1 only.
_WEB_SERVER_CONFIGURATION = """\
from flask_appbuilder.security.manager import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_ROLE_PUBLIC = "Admin"
WTF_CSRF_ENABLED = False
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
