"""The scratch schema: a schema of our own in the target's metadata database, made and dropped by one import or verify.

One import or verify at a time works in a database, held by an advisory lock that ends with its session; whatever
scratch schema the next one finds is therefore left over from one that was killed.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import Any, Iterator

from psycopg2 import Error, sql
from psycopg2.errors import InsufficientPrivilege

from mwaa_migrator.errors import ImportInProgress, MissingRight
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value

#: Followed by the migration's id. The schema of the receipts has no underscore after it and is not scratch.
PREFIX = "mwaa_migrator_"

#: Any constant will do; this one is "mwaamigr" in ASCII.
_LOCK_KEY = 0x6D7761616D696772


def scratch_name(migration_id: str) -> str:
    return PREFIX + migration_id


@contextmanager
def only_one(connection: Any) -> Iterator[None]:
    """Hold the database's lock for imports; raises ImportInProgress where another session holds it."""
    locked = fetch_value(connection, "select pg_try_advisory_lock(%s)", (_LOCK_KEY,))
    connection.commit()
    if not locked:
        raise ImportInProgress("Another import or verify works in this metadata database. Wait until it is done.")
    try:
        yield
    finally:
        # Where the connection is lost, so is the lock.
        with suppress(Error):
            connection.rollback()
            execute(connection, "select pg_advisory_unlock(%s)", (_LOCK_KEY,))
            connection.commit()


def drop_leftovers(connection: Any) -> list[str]:
    """Drop the scratch schemas that killed imports left, and end sessions of theirs that still run."""
    query = "select nspname from pg_catalog.pg_namespace where left(nspname, length(%s)) = %s order by 1"
    names = [name for (name,) in fetch_all(connection, query, (PREFIX, PREFIX))]
    for name in names:
        # Copying processes and the migrations carry the schema's name; they end by themselves, but not at once.
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
    """Raises MissingRight where the database user may not create a schema."""
    try:
        execute(connection, sql.SQL("create schema {}").format(sql.Identifier(name)))
    except InsufficientPrivilege as error:
        connection.rollback()
        user, database = fetch_all(connection, "select current_user, current_database()")[0]
        message = "The database user {0} may not create a schema: grant it with GRANT CREATE ON DATABASE {1} TO {0}."
        raise MissingRight(message.format(user, database)) from error
    connection.commit()


def drop(connection: Any, name: str) -> None:
    connection.rollback()
    execute(connection, "set search_path to default")
    execute(connection, sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
    connection.commit()
