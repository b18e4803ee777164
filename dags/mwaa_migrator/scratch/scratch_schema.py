"""The scratch schema: a schema of our own in the target's metadata database, made and dropped by one import or verify.

One import or verify at a time works in a database. It holds an advisory lock, which ends with its session; a scratch
schema that it finds is therefore left over from one that was killed.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Iterator

from psycopg2 import Error, sql
from psycopg2.errors import InsufficientPrivilege

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.errors import ImportInProgress, MissingRight
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase

#: Followed by the artifact's id. The schema of the receipts has no underscore there, and is not scratch.
PREFIX = "mwaa_migrator_"

#: Any constant will do; this one is "mwaamigr" in ASCII.
_LOCK_KEY = 0x6D7761616D696772

#: Seconds for which a task waits for the lock: longer than a session whose try was killed can live.
_LOCK_PATIENCE = 120.0
_LOCK_POLL = 0.5


@dataclass(frozen=True)
class ScratchSchema:
    """Where an artifact's rows lie, in the target's database, beside the target's own tables."""

    target: MetadataDatabase
    artifact: Artifact

    @property
    def name(self) -> str:
        return PREFIX + self.artifact.id

    @property
    def connection(self) -> Any:
        return self.target.connection

    def table(self, name: str) -> sql.Identifier:
        """One of the artifact's tables in SQL."""
        return qualified(self.name, name)


@contextmanager
def import_lock(connection: Any, run_id: str | None = None) -> Iterator[None]:
    """Hold the database's lock for imports; raises ImportInProgress if another session holds it.

    A task of the DAG run ``run_id`` ends the session of an earlier try of its own, which a proxy can keep for a while
    when the try was killed, and waits for the lock of any other.
    """
    locked = _try_lock(connection)
    if not locked and run_id is not None:
        _end_earlier_tries(connection)
        patient_until = time.monotonic() + _LOCK_PATIENCE
        while not locked and time.monotonic() < patient_until:
            time.sleep(_LOCK_POLL)
            locked = _try_lock(connection)
    if not locked:
        raise ImportInProgress(
            "Another import or verify works in this metadata database. Wait until it has ended, and try again."
        )
    try:
        yield
    finally:
        # A lost connection has lost the lock as well.
        with suppress(Error):
            connection.rollback()
            execute(connection, "select pg_advisory_unlock(%s)", (_LOCK_KEY,))
            connection.commit()


def _try_lock(connection: Any) -> bool:
    locked = fetch_value(connection, "select pg_try_advisory_lock(%s)", (_LOCK_KEY,))
    connection.commit()
    return bool(locked)


def _end_earlier_tries(connection: Any) -> None:
    """End the other sessions of this session's name, which says the task and the run."""
    execute(
        connection,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
        "and application_name = current_setting('application_name') and pid <> pg_backend_pid()",
    )
    connection.commit()


def drop_leftovers(connection: Any) -> list[str]:
    """Drop the scratch schemas that killed imports left, end their sessions that still run, and return their names."""
    query = "select nspname from pg_catalog.pg_namespace where left(nspname, length(%s)) = %s order by 1"
    names = [name for (name,) in fetch_all(connection, query, (PREFIX, PREFIX))]
    for name in names:
        # Copying processes and migrations carry the schema's name. They end by themselves, but not at once.
        execute(
            connection,
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = left(%s, 63) and datname = current_database() and pid <> pg_backend_pid()",
            (name,),
        )
        drop(connection, name)
    connection.commit()
    return names


def create(connection: Any, name: str) -> None:
    """Make an empty schema and commit; raises MissingRight if the database user may not."""
    create_schema(connection, name)
    connection.commit()


def create_schema(connection: Any, name: str) -> None:
    """The same without the commit."""
    try:
        execute(connection, sql.SQL("create schema {}").format(sql.Identifier(name)))
    except InsufficientPrivilege as error:
        connection.rollback()
        query = "select quote_ident(current_user), quote_ident(current_database())"
        user, database = fetch_all(connection, query)[0]
        raise MissingRight(
            f"The database user {user} may not create a schema. Let it: GRANT CREATE ON DATABASE {database} TO {user}."
        ) from error


def drop(connection: Any, name: str) -> None:
    """Give up what the session has begun, drop the schema if it exists, and commit."""
    connection.rollback()
    execute(connection, sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
    connection.commit()
