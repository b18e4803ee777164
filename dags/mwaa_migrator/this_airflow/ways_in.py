"""The ways from an Amazon MWAA worker into the metadata database, by what its environment says.

The images give their workers coordinates and credentials because Airflow's own components read them from there
(aws/amazon-mwaa-docker-images, ``mwaa/config/database.py`` and ``rds_iam_credentials.py``). No message has a value of a
variable in it.

This module stands alone: doctor's probe brings it into an environment that has no other file of ours.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

Parameters = Dict[str, str]

#: As the images' MWAA_CONNECT_ARGS. A host that does not answer must not hold up the next way.
_CONNECT_SECONDS = "15"

#: The role that tokens are for.
_TOKEN_USER = "airflow_user"


class Unusable(Exception):
    """Why a way is none here, without a value."""


class Way(NamedTuple):
    """``parameters`` are psycopg2's, by the variables of the environment; it raises Unusable."""

    name: str
    parameters: Callable[[Mapping[str, str]], Parameters]

    def connect(self) -> Any:
        """A new psycopg2 connection; raises Unusable."""
        from psycopg2 import OperationalError, connect

        try:
            return connect(connect_timeout=_CONNECT_SECONDS, **self.parameters(os.environ))
        except OperationalError as error:
            # The message names host and user.
            refused = "authentication failed" in str(error)
            raise Unusable("the server refused the password" if refused else "the server does not answer") from None


def _credentials(environment: Mapping[str, str]) -> Parameters:
    if "MWAA__DB__CREDENTIALS" in environment:
        user, password = _secret(environment, "MWAA__DB__CREDENTIALS")
    else:
        user, password = _values(environment, "MWAA__DB__POSTGRES_USER", "MWAA__DB__POSTGRES_PASSWORD")
    return {**_address(environment, "MWAA__DB__POSTGRES_"), "user": user, "password": password}


def _db_secrets(environment: Mapping[str, str]) -> Parameters:
    user, password = _secret(environment, "DB_SECRETS")
    return {**_address(environment, "POSTGRES_"), "user": user, "password": password}


def _iam_token(environment: Mapping[str, str]) -> Parameters:
    if environment.get("USE_IAM_CREDENTIALS", "").lower() != "true":
        raise Unusable("USE_IAM_CREDENTIALS is not true")
    prefix = "MWAA__DB__POSTGRES_" if "MWAA__DB__POSTGRES_HOST" in environment else "POSTGRES_"
    return {**_address(environment, prefix), "user": _TOKEN_USER, "password": _token()}


def _token() -> str:
    from botocore.exceptions import BotoCoreError

    try:
        from mwaa.config.rds_iam_credentials import RDSIAMCredentialProvider

        return str(RDSIAMCredentialProvider.get_token())
    except (ImportError, AttributeError):
        raise Unusable("the image has no mwaa.config.rds_iam_credentials") from None
    except (BotoCoreError, OSError, ValueError, LookupError, RuntimeError) as error:
        raise Unusable(f"the image made no token, {type(error).__name__}") from None


def _address(environment: Mapping[str, str], prefix: str) -> Parameters:
    host, port, database = _values(environment, prefix + "HOST", prefix + "PORT", prefix + "DB")
    # The images take an empty one for "require"; without one, libpq prefers to encrypt.
    mode = environment.get(prefix + "SSLMODE", environment.get("SSL_MODE"))
    return {"host": host, "port": port, "dbname": database, **({} if mode is None else {"sslmode": mode or "require"})}


def _secret(environment: Mapping[str, str], name: str) -> Tuple[str, str]:
    (text,) = _values(environment, name)
    try:
        secret = json.loads(text)
        return str(secret["username"]), str(secret["password"])
    except (ValueError, TypeError, LookupError):
        raise Unusable(f"{name} is not JSON with username and password") from None


def _values(environment: Mapping[str, str], *names: str) -> List[str]:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise Unusable("without {}".format(", ".join(missing)))
    return [environment[name] for name in names]


#: In the order in which they are tried.
WAYS = (
    Way("MWAA__DB", _credentials),
    Way("DB_SECRETS", _db_secrets),
    Way("IAM token", _iam_token),
)
