"""The metadata database of this Airflow: how to connect to it, and where Airflow's tables are in it.

Connections come from Airflow's own engine, because MWAA's credentials can be short-lived tokens that only the engine
knows how to renew.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator

from psycopg2 import sql

from mwaa_migrator.errors import DatabaseNotSupported, DatabaseUnreachable
from mwaa_migrator.postgres.checksums import fastest_algorithm
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import (
    CLOSES_IDLE_SESSIONS_SINCE,
    SESSION_SETTINGS,
    execute,
    named_database_errors,
    set_keepalives,
)
from mwaa_migrator.this_airflow.release import airflow_version
from mwaa_migrator.this_airflow.schema import airflow_schema, read_revision

#: Shown in pg_stat_activity; an import also finds by it the sessions that a killed one left.
APPLICATION_NAME = "mwaa_migrator"


def session_name(task: str, run_id: str | None) -> str:
    """The name of the session of a task; tries of the same DAG run have the same."""
    digest = [hashlib.sha256(run_id.encode("utf-8")).hexdigest()[:16]] if run_id else []
    return " ".join([APPLICATION_NAME, task, *digest])


@dataclass(frozen=True)
class MetadataDatabase:
    """A session in the metadata database: the source of an export, or the target of an import.

    ``schema`` is the one that holds Airflow's tables; ``revision`` is its Alembic revision.
    """

    connection: Any
    airflow_version: str
    schema: str
    revision: str

    def table(self, name: str) -> sql.Identifier:
        """One of Airflow's tables in SQL."""
        return qualified(self.schema, name)

    @property
    def checksum_algorithm(self) -> str:
        return fastest_algorithm(self.connection)


@contextmanager
def metadata_database(application_name: str = APPLICATION_NAME) -> Iterator[MetadataDatabase]:
    """Open a session for the length of the block; errors of psycopg2 in it get the names of ``named_database_errors``.

    Raises what ``airflow_version``, ``connect``, ``airflow_schema`` and ``read_revision`` raise.
    """
    version = airflow_version()
    connection = connect(application_name)
    try:
        with named_database_errors():
            schema = airflow_schema(connection)
            revision = read_revision(connection, schema)
            connection.rollback()
            yield MetadataDatabase(connection, version, schema, revision)
    finally:
        connection.close()


def connect(application_name: str = APPLICATION_NAME) -> Any:
    """A new psycopg2 connection to the metadata database, outside of the engine's pool.

    Raises DatabaseNotSupported if it is not PostgreSQL, DatabaseUnreachable if it does not answer.
    """
    import psycopg2
    from airflow import settings
    from sqlalchemy.exc import SQLAlchemyError

    if settings.engine is None:
        settings.configure_orm()
    engine = settings.engine
    if engine.dialect.name != "postgresql":
        raise DatabaseNotSupported(
            f"The metadata database is {engine.dialect.name}, and only PostgreSQL can be exported or imported into. "
            "Move this Airflow to PostgreSQL first."
        )
    try:
        # Through the engine, whose events renew short-lived tokens, but from a pool of its own: a connection of the
        # task's pool may be old, and our settings and transactions must never reach it.
        pooled = engine.pool.recreate().connect()
        raw = getattr(pooled, "driver_connection", None) or pooled.connection
        pooled.detach()
        raw.rollback()
        _prepare(raw, application_name)
        if raw.server_version >= 140000:
            # A killed import's last statement, and with it the lock that keeps the next import out, ends soon.
            execute(raw, "set client_connection_check_interval to '1s'")
        raw.commit()
    except (psycopg2.OperationalError, SQLAlchemyError) as error:
        message = "The metadata database does not answer: {}. Check Airflow's sql_alchemy_conn and the network."
        raise DatabaseUnreachable(message.format(str(error).strip().splitlines()[0])) from error
    return raw


def connection_parameters() -> dict[str, str]:
    """psycopg2's parameters with which a process without Airflow connects as Airflow does.

    They are taken from a new connection, because a token in them may live for minutes only. They hold the password, so
    they travel through a pipe, never as arguments or in the environment.
    """
    connection = connect()
    try:
        parameters = dict(connection.get_dsn_parameters())
        parameters.pop("options", None)
        if connection.info.password:
            parameters["password"] = connection.info.password
        return parameters
    finally:
        connection.close()


def connect_with(parameters: dict[str, str], application_name: str) -> Any:
    """A connection by what ``connection_parameters`` returned in another process."""
    import psycopg2

    connection = psycopg2.connect(**parameters)
    _prepare(connection, application_name)
    connection.commit()
    return connection


def _prepare(connection: Any, application_name: str) -> None:
    set_keepalives(connection)
    # psycopg2 decodes by the encoding that it knows, and does not notice a statement that sets another.
    connection.set_client_encoding("UTF8")
    execute(connection, SESSION_SETTINGS)
    if connection.server_version >= CLOSES_IDLE_SESSIONS_SINCE:
        execute(connection, "set idle_session_timeout to 0")
    execute(connection, "select set_config('application_name', %s, false)", (application_name,))
