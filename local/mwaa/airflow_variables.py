"""The environment variables of an environment's Airflow: its options, and what is different on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.installations import ports, processes
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa import database_access
from local.mwaa.database_proxy import DatabaseProxy

_SHIM = Path(__file__).parent / "shim"

#: Where a machine of two cores differs from MWAA: few processes, no waiting for new files, and files that have not
#: changed are seldom parsed. A user's own options win.
_LOCAL_OPTIONS = {
    "core__dags_are_paused_at_creation": "True",
    "core__parallelism": "4",
    "dag_processor__min_file_process_interval": "60",
    "dag_processor__parsing_processes": "1",
    "dag_processor__refresh_interval": "5",
    # Each command would read all migrations, and the database is always at their head.
    "database__check_migrations": "False",
    "scheduler__dag_dir_list_interval": "5",
    "scheduler__max_threads": "1",
    "scheduler__min_file_process_interval": "60",
    "scheduler__parsing_processes": "1",
    "scheduler__scheduler_heartbeat_sec": "2",
}

#: There a DAG's tasks are scheduled when its file is parsed, so each waits for the next time.
_OPTIONS_BEFORE_2 = {"scheduler__min_file_process_interval": "2"}

#: Of this machine's variables, those that a process cannot do without, and its way into the network. A worker of Amazon
#: MWAA has no others either.
OF_THE_MACHINE = {
    "CURL_CA_BUNDLE", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "LOGNAME",
    "NO_PROXY", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
    "http_proxy", "https_proxy", "no_proxy",
}  # fmt: skip

#: As in the images (mwaa/config/environ.py). Without it no task of 3.0.6 starts where logs go to CloudWatch: its
#: supervisor does not bear a missing connection ("generator didn't yield").
_CONNECTION = {"AIRFLOW_CONN_AWS_DEFAULT": "aws://"}


@dataclass(frozen=True)
class AirflowSettings:
    """What an environment gives its Airflow.

    Attributes:
        options: AirflowConfigurationOptions: {"core.parallelism": "8"}.
        fernet_key: stays the same over versions, as does `secret_key`.
        aws: the variables of AWS's SDKs: the execution role's credentials, the endpoint, the region.
        database_proxy: through which Airflow reaches its database.
        task_log_group_arn: where Airflow's own CloudWatch handler writes and reads task logs; None: files only.
    """

    options: Mapping[str, str]
    fernet_key: str
    secret_key: str
    aws: Mapping[str, str]
    database_proxy: DatabaseProxy
    task_log_group_arn: str | None


def has_remote_task_logs(installation: AirflowInstallation) -> bool:
    """Whether Airflow's own handler writes task logs to CloudWatch; 1.10 has none that fits today's watchtower."""
    return installation.release >= (2,)


def variables(
    installation: AirflowInstallation,
    home: Path,
    database: str,
    marker: str,
    settings: AirflowSettings,
    api_port: int | None,
) -> dict[str, str]:
    """
    Args:
        database: the name of the metadata database.
        marker: by which the processes are found again.
        api_port: of the API server; None before 3.0.
    """
    config = {
        **_LOCAL_OPTIONS,
        **(_OPTIONS_BEFORE_2 if installation.release < (2,) else {}),
        "core__fernet_key": settings.fernet_key,
        "core__plugins_folder": str(home / "plugins"),
        "webserver__secret_key": settings.secret_key,
        **{name.replace(".", "__", 1).lower(): value for name, value in settings.options.items()},
        **_logging(installation, settings.task_log_group_arn),
        **_web_server(installation, home, settings.secret_key, api_port),
    }
    access = database_access.of(installation, settings.database_proxy, database)
    inherited = installation.environment(home, access.url, **{**access.options, **config})
    return {
        **{name: value for name, value in inherited.items() if name in OF_THE_MACHINE or name.startswith("AIRFLOW")},
        **settings.aws,
        **access.variables,
        **(_CONNECTION if installation.release >= (3,) else {}),
        "PYTHONPATH": python_path(installation, home),
        "PYTHONUNBUFFERED": "1",
        processes.MARKER: marker,
    }


def python_path(installation: AirflowInstallation, home: Path) -> str:
    """As in the images, with our own modules in the place of /python.

    That of 2.9.2 has the DAG folder before the standard library (its Dockerfile.base); those that follow do not.
    """
    if installation.release[:2] == (2, 9):
        return os.pathsep.join([str(home / "config"), str(home / "dags"), str(_SHIM)])
    return str(_SHIM)


def install_local_settings(installation: AirflowInstallation, home: Path) -> None:
    """Puts Amazon MWAA's own airflow_local_settings.py into config/, where the version's image has it."""
    shutil.rmtree(home / "config", ignore_errors=True)
    if database_access.uses_tokens(installation):
        shutil.copytree(_SHIM / "airflow_home" / "config", home / "config")


def _logging(installation: AirflowInstallation, task_log_group_arn: str | None) -> dict[str, str]:
    # The servers of logs that are not in CloudWatch yet have fixed ports unless they are given others.
    section = "logging" if installation.release >= (2, 2) else "celery"
    config = {
        f"{section}__worker_log_server_port": str(ports.free_port()),
        "logging__trigger_log_server_port": str(ports.free_port()),
    }
    if task_log_group_arn is not None and has_remote_task_logs(installation):
        config |= {
            "logging__remote_logging": "True",
            "logging__remote_base_log_folder": f"cloudwatch://{task_log_group_arn}",
            "logging__remote_log_conn_id": "",
        }
    return config


def _web_server(installation: AirflowInstallation, home: Path, secret_key: str, api_port: int | None) -> dict[str, str]:
    release = installation.release
    if release < (2,):
        return {"webserver__rbac": "True"}
    if release < (3,):
        no_authentication = "airflow.api.auth.backend.default"
        config = {
            "api__auth_backends": no_authentication,
            "webserver__config_file": str(home / "webserver_config.py"),
        }
        return {**config, "api__auth_backend": no_authentication} if release < (2, 3) else config
    return {
        "api__host": "127.0.0.1",
        "api__port": str(api_port),
        "api__workers": "1",
        "api__secret_key": secret_key,
        "api_auth__jwt_secret": secret_key,
        "core__auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "core__simple_auth_manager_all_admins": "True",
        "core__execution_api_server_url": f"http://127.0.0.1:{api_port}/execution/",
    }
