"""How an environment's Airflow reaches its metadata database: role, password and variables.

The variables are those of the images (aws/amazon-mwaa-docker-images, mwaa/config/database.py and
rds_iam_credentials.py), which all components of an environment get. What workers of Airflow 3 get in an account is not
documented, so WORKER_DATABASE says what they get here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from local.installations import metadata_roles
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa.database_proxy import DatabaseProxy

#: The oldest image that has the patch for tokens and sets keepalives.
_TOKENS_SINCE = (2, 9, 2)

WORKER_DATABASE = "WORKER_DATABASE"
#: Its values: as the images, with tokens; a password that works; as it was seen in an account with 3.0.6; nothing.
TOKEN, CREDENTIALS, SECRETS, NONE = WORKER_DATABASES = ("token", "credentials", "secrets", "none")


@dataclass(frozen=True)
class DatabaseAccess:
    """
    Attributes:
        url: Airflow's option sql_alchemy_conn.
        options: further options, as section__option.
        variables: environment variables of Airflow's processes.
    """

    url: str
    options: Mapping[str, str]
    variables: Mapping[str, str]


def uses_tokens(installation: AirflowInstallation) -> bool:
    """Whether Airflow connects with tokens that expire; before, it was the owner, with a password."""
    return installation.release >= _TOKENS_SINCE


def of(installation: AirflowInstallation, proxy: DatabaseProxy, database: str) -> DatabaseAccess:
    """The access of one version to one database.

    Where tokens are used, the URL's password is one that no longer works, so that whatever builds a connection from the
    URL fails; Airflow's engine puts a token in its place.
    """
    password = "rotated" if uses_tokens(installation) else proxy.settings.secret
    host, port = proxy.host, str(proxy.port)
    url = f"postgresql+psycopg2://{metadata_roles.OWNER}:{password}@{host}:{port}/{quote(database, safe='')}"
    variables = {
        "MWAA__DB__CREDENTIALS": _credentials(password),
        **{f"MWAA__DB__{name}": value for name, value in _address(proxy, database).items()},
        # The server has no TLS.
        "MWAA__DB__POSTGRES_SSLMODE": "prefer",
    }
    if installation.release < (3,):
        variables |= _address(proxy, database)
    if not uses_tokens(installation):
        return DatabaseAccess(url, {}, variables)
    return DatabaseAccess(
        url,
        {"database__sql_alchemy_connect_args": "mwaa.config.database.MWAA_CONNECT_ARGS"},
        {**variables, **proxy.token_variables()},
    )


def worker_database() -> str:
    """Which of WORKER_DATABASES the environment variable of that name says."""
    return os.environ.get(WORKER_DATABASE) or TOKEN


def of_workers(installation: AirflowInstallation, proxy: DatabaseProxy, database: str) -> dict[str, str | None]:
    """The variables that workers have otherwise than the rest of their Airflow; None for those that they lack."""
    wanted = worker_database()
    if installation.release < (3,) or wanted == TOKEN:
        return {}
    images = dict.fromkeys(of(installation, proxy, database).variables)
    credentials = _credentials(proxy.settings.secret)
    if wanted == CREDENTIALS:
        return {**dict.fromkeys(proxy.token_variables()), "MWAA__DB__CREDENTIALS": credentials}
    if wanted == SECRETS:
        return {**images, **_address(proxy, database), "DB_SECRETS": credentials}
    return dict(images)


def _credentials(password: str) -> str:
    return json.dumps({"username": metadata_roles.OWNER, "password": password})


def _address(proxy: DatabaseProxy, database: str) -> dict[str, str]:
    return {"POSTGRES_HOST": proxy.host, "POSTGRES_PORT": str(proxy.port), "POSTGRES_DB": database}
