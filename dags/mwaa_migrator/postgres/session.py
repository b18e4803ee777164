"""Small helpers over psycopg2 connections: one statement in, its rows out."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import Any, Iterator, Sequence, Union

from psycopg2 import Error, sql
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from mwaa_migrator.errors import DatabaseFailed, MissingRight

Query = Union[str, sql.Composable]

#: Text forms must not depend on the server's or the role's settings: rows are hashed as text on old servers, and COPY
#: writes times and numbers as text.
SESSION_SETTINGS = """
    set datestyle to 'ISO, MDY'; set intervalstyle to 'postgres'; set timezone to 'UTC'; set extra_float_digits to 3;
    set bytea_output to 'hex'; set client_encoding to 'UTF8'; set statement_timeout to 0; set lock_timeout to 0;
    set idle_in_transaction_session_timeout to 0; set row_security to off; set jit to off
"""


def execute(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> int:
    """Run a statement; returns the number of rows that it touched."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(query, parameters)
        return int(cursor.rowcount)


def fetch_all(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def fetch_value(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> Any:
    """The first column of the first row, or None where there is no row."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
        return row[0] if row else None


def keep_alive(connection: Any) -> None:
    """Let a session do something, and leave it in a transaction or outside of one, as it was.

    RDS Proxy closes a client's connection after half an hour without a statement (its default IdleClientTimeout).
    """
    was_idle = connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
    execute(connection, "select 1")
    if was_idle:
        connection.rollback()


def use_schema(connection: Any, schema: str) -> None:
    """Set the search_path by a statement: RDS Proxy refuses start-up options (psycopg2 issue 1577)."""
    execute(connection, sql.SQL("set search_path to {}").format(sql.Identifier(schema)))


def identifiers(names: Sequence[str], prefix: str | None = None) -> sql.Composed:
    """``"a", "b"`` or ``p."a", p."b"``."""
    if prefix is None:
        return sql.SQL(", ").join([sql.Identifier(name) for name in names])
    alias = sql.SQL(prefix + ".")
    return sql.SQL(", ").join([alias + sql.Identifier(name) for name in names])


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn what the database raises into MissingRight or DatabaseFailed, whichever statement it was."""
    try:
        yield
    except InsufficientPrivilege as error:
        raise MissingRight(f"The database user lacks a right: {str(error).strip()}. Grant it and try again.") from error
    except Error as error:
        message = "The database failed: {}. Try again: what was committed is recognised, the rest was rolled back."
        raise DatabaseFailed(message.format(str(error).strip())) from error
