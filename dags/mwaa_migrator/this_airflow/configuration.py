"""What this Airflow is configured with, as far as the engine asks."""

from __future__ import annotations

import os
from typing import Any

from mwaa_migrator.errors import FernetKeyInvalid
from mwaa_migrator.this_airflow.release import airflow_version, version_tuple


def fernet() -> Any:
    """Airflow's Fernet: ``encrypt``, ``decrypt`` and ``is_encrypted`` (False if no key is set).

    Raises FernetKeyInvalid.
    """
    from airflow.exceptions import AirflowException
    from airflow.models.crypto import get_fernet

    try:
        return get_fernet()
    except (AirflowException, ValueError) as error:
        raise FernetKeyInvalid(
            f"This Airflow's fernet_key is no Fernet key ({error}). Set it (AIRFLOW__CORE__FERNET_KEY) to the key, or "
            "the keys with commas between them, that its secrets are encrypted with: 32 bytes as URL-safe Base64."
        ) from error


def log_filename_template() -> str:
    """How this Airflow names log files. Before 2.3 only the configuration says it, and not the run."""
    from airflow.configuration import conf

    section = "logging" if version_tuple(airflow_version()) >= (2, 0, 0) else "core"
    return str(conf.get(section, "log_filename_template", raw=True)).replace("%%", "%")


def dags_folder() -> str:
    """Where this Airflow looks for DAG files."""
    from airflow.configuration import conf

    return os.path.expanduser(str(conf.get("core", "dags_folder")))


def executor() -> str:
    """What runs this Airflow's tasks."""
    from airflow.configuration import conf

    return str(conf.get("core", "executor"))


def default_pool_slots() -> int:
    """The slots with which this Airflow makes its default_pool."""
    from airflow.configuration import conf

    return int(conf.getint("core", "default_pool_task_slot_count", fallback=128))


def metadata_url() -> str:
    """SQLAlchemy's URL of the metadata database."""
    from airflow.configuration import conf

    section = "database" if version_tuple(airflow_version()) >= (2, 3, 0) else "core"
    return str(conf.get(section, "sql_alchemy_conn"))


def configured_schema() -> str:
    """The schema that ``sql_alchemy_schema`` names for Airflow's tables; empty if the search_path decides."""
    from airflow.configuration import conf

    section = "database" if version_tuple(airflow_version()) >= (2, 3, 0) else "core"
    return str(conf.get(section, "sql_alchemy_schema", fallback="") or "").strip()
