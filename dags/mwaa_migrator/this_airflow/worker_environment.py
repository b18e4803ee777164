"""The metadata database by what the environment of Amazon MWAA's workers says, for tasks of Airflow 3.

There a task has no access through Airflow: it finds ``airflow-db-not-allowed:///`` for a URL. The images give their
workers coordinates and credentials all the same, because Airflow's own components read them from there
(aws/amazon-mwaa-docker-images, ``mwaa/config/database.py`` and ``rds_iam_credentials.py``). The ways are tried in
order, for each connection anew: a token lives for 15 minutes. No message has a value of a variable in it.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Tuple

from psycopg2 import OperationalError

from mwaa_migrator.errors import DatabaseOutOfReach
from mwaa_migrator.this_airflow.place import Place

Parameters = Dict[str, str]

_URL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OLD_URL = "AIRFLOW__CORE__SQL_ALCHEMY_CONN"
_NOT_ALLOWED = "airflow-db-not-allowed:"

#: As the images' MWAA_CONNECT_ARGS. A host that does not answer must not hold up the next way.
_CONNECT_SECONDS = "15"

#: The role that tokens are for.
_TOKEN_USER = "airflow_user"


def is_airflow_kept_out(environment: Mapping[str, str]) -> bool:
    """Whether this is the environment of a task of Airflow 3 (``block_orm_access`` of its task SDK)."""
    return environment.get(_URL, "").startswith(_NOT_ALLOWED)


class _Unusable(Exception):
    """Why a way is none here, without a value."""


class _Way(NamedTuple):
    """``parameters`` are psycopg2's, by the variables of the environment; it raises _Unusable."""

    name: str
    parameters: Callable[[Mapping[str, str]], Parameters]


class WorkerEnvironment(Place):
    def __init__(self) -> None:
        self._ways = list(_WAYS)
        with _url_that_airflow_accepts():
            import airflow  # noqa: F401

    @property
    def way_in(self) -> str:
        return self._ways[0].name

    def open(self) -> Any:
        """Raises DatabaseOutOfReach with what was tried."""
        failures: List[str] = []
        # The way that worked comes first the next time.
        for way in list(self._ways):
            try:
                connection = _connect(way.parameters(os.environ))
            except _Unusable as unusable:
                failures.append(f"{way.name} ({unusable})")
                continue
            self._ways.remove(way)
            self._ways.insert(0, way)
            return connection
        raise DatabaseOutOfReach(
            "No way leads from this worker to the metadata database. Tried: {}. Nothing was read or written. Migrate "
            "through Airflow 2.11, where tasks reach the database by Airflow's own engine.".format("; ".join(failures))
        )

    def admit_airflow(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "do_connect", lambda *_: self.open())


@contextmanager
def _url_that_airflow_accepts() -> Iterator[None]:
    """Airflow makes its engine when it is imported, and there is none for the URL that a task finds."""
    before = {name: os.environ.pop(name) for name in (_URL, _OLD_URL) if name in os.environ}
    os.environ[_URL] = "postgresql+psycopg2://"
    try:
        yield
    finally:
        os.environ.update(before)


def _connect(parameters: Parameters) -> Any:
    import psycopg2

    try:
        return psycopg2.connect(connect_timeout=_CONNECT_SECONDS, **parameters)
    except OperationalError as error:
        # The message names host and user.
        refused = "authentication failed" in str(error)
        raise _Unusable("the server refused the password" if refused else "the server does not answer") from None


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
        raise _Unusable("USE_IAM_CREDENTIALS is not true")
    prefix = "MWAA__DB__POSTGRES_" if "MWAA__DB__POSTGRES_HOST" in environment else "POSTGRES_"
    return {**_address(environment, prefix), "user": _TOKEN_USER, "password": _token()}


def _token() -> str:
    from botocore.exceptions import BotoCoreError

    try:
        from mwaa.config.rds_iam_credentials import RDSIAMCredentialProvider

        return str(RDSIAMCredentialProvider.get_token())
    except (ImportError, AttributeError):
        raise _Unusable("the image has no mwaa.config.rds_iam_credentials") from None
    except (BotoCoreError, OSError, ValueError, LookupError, RuntimeError) as error:
        raise _Unusable(f"the image made no token, {type(error).__name__}") from None


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
        raise _Unusable(f"{name} is not JSON with username and password") from None


def _values(environment: Mapping[str, str], *names: str) -> List[str]:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise _Unusable("without {}".format(", ".join(missing)))
    return [environment[name] for name in names]


_WAYS = (
    _Way("MWAA__DB", _credentials),
    _Way("DB_SECRETS", _db_secrets),
    _Way("IAM token", _iam_token),
)
