"""How an environment's Airflow reaches its metadata database: role, password and variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from local.installations import metadata_roles
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa.database_proxy import DatabaseProxy

#: The oldest image that has the patch for tokens and sets keepalives.
_TOKENS_SINCE = (2, 9, 2)


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
    credentials = json.dumps({"username": metadata_roles.OWNER, "password": password})
    variables = {
        "MWAA__DB__CREDENTIALS": credentials,
        "MWAA__DB__POSTGRES_HOST": host,
        "MWAA__DB__POSTGRES_PORT": port,
        "MWAA__DB__POSTGRES_DB": database,
        "POSTGRES_HOST": host,
        "POSTGRES_PORT": port,
        "POSTGRES_DB": database,
    }
    if not uses_tokens(installation):
        return DatabaseAccess(url, {}, variables)
    return DatabaseAccess(
        url,
        {"database__sql_alchemy_connect_args": "mwaa.config.database.MWAA_CONNECT_ARGS"},
        {**variables, **proxy.settings.variables(), "USE_IAM_CREDENTIALS": "true"},
    )
