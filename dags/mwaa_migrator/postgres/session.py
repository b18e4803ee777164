"""Statements over a psycopg2 connection, the settings of a session, and the server's errors by name."""

from __future__ import annotations

import os
import socket
from contextlib import closing, contextmanager
from typing import Any, Iterator, Sequence, Union

from psycopg2 import Error, InterfaceError, OperationalError, sql
from psycopg2.errors import (
    DiskFull,
    InsufficientPrivilege,
    ProgramLimitExceeded,
    RaiseException,
    ReadOnlySqlTransaction,
    StatementTooComplex,
    TooManyArguments,
    TooManyColumns,
    UntranslatableCharacter,
)
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS

from mwaa_migrator.errors import DatabaseFailed, MissingRight

#: A string takes ``%s`` and parameters. A composed query takes its values as literals and no parameters: psycopg2 would
#: take a ``%`` in an identifier for a placeholder.
Query = Union[str, sql.Composable]

#: Text must not depend on the settings of the server or the role: old servers hash rows as text, and COPY writes times
#: and numbers as text.
SESSION_SETTINGS = """
    set datestyle to 'ISO, MDY'; set intervalstyle to 'postgres'; set timezone to 'UTC'; set extra_float_digits to 3;
    set bytea_output to 'hex'; set client_encoding to 'UTF8'; set row_security to off; set jit to off
"""

#: A role's or a database's time-outs are meant for web requests, and other settings of theirs change what a statement
#: or the catalog says: a backslash in a string, a name in quotes, a comparison with NULL.
_AS_POSTGRESQL_COMES = """
    set statement_timeout to 0; set lock_timeout to 0; set idle_in_transaction_session_timeout to 0;
    set standard_conforming_strings to on; set quote_all_identifiers to off; set transform_null_equals to off;
    set array_nulls to on
"""

#: Of the connection, the server or another session. A server is read-only for a while after a failover.
_OF_THE_MOMENT = (OperationalError, InterfaceError, ReadOnlySqlTransaction)

#: Operational errors that come again as long as the rows are as they are.
_LIMITS = (ProgramLimitExceeded, StatementTooComplex, TooManyColumns, TooManyArguments)

#: Time-outs by the first server that has them.
_NEWER_TIMEOUTS = {"idle_session_timeout": 140000, "transaction_timeout": 170000}


def execute(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> int:
    """Run a statement and return how many rows it touched."""
    with closing(_run(connection, query, parameters)) as cursor:
        return int(cursor.rowcount)


def fetch_all(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    with closing(_run(connection, query, parameters)) as cursor:
        return list(cursor.fetchall())


def fetch_value(connection: Any, query: Query, parameters: Sequence[Any] | None = None) -> Any:
    """The first column of the first row; None if there is no row."""
    with closing(_run(connection, query, parameters)) as cursor:
        row = cursor.fetchone()
        return row[0] if row else None


def _run(connection: Any, query: Query, parameters: Sequence[Any] | None) -> Any:
    assert parameters is None or isinstance(query, str), "a composed query takes no parameters"
    cursor = connection.cursor()
    try:
        cursor.execute(query, parameters)
    except BaseException:
        cursor.close()
        raise
    return cursor


def ignore_settings_of_role(connection: Any) -> None:
    """Give the session PostgreSQL's own settings where a role's or a database's would end or change its statements."""
    execute(connection, _AS_POSTGRESQL_COMES)
    for name, version in _NEWER_TIMEOUTS.items():
        if connection.server_version >= version:
            execute(connection, sql.SQL("set {} to 0").format(sql.Identifier(name)))


#: Seconds without a packet after which the other end is asked, seconds between questions, and how many may remain
#: without an answer. As in Amazon MWAA's images from 2.9.2 on; older ones set none, and Linux waits for two hours.
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 5))


def set_keepalives(connection: Any) -> None:
    """Have the system ask whether the other end is there; what lies between forgets silent connections."""
    with socket.socket(fileno=os.dup(connection.fileno())) as its:
        if its.family in (socket.AF_INET, socket.AF_INET6):
            its.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                # Each is Linux's; some other systems lack one.
                if hasattr(socket, option):
                    its.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def keep_alive(connection: Any) -> None:
    """Run a statement that does nothing, and leave the session in or out of a transaction, as it was.

    RDS Proxy closes a client's connection after half an hour without a statement (its default IdleClientTimeout).
    """
    was_idle = connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
    execute(connection, "select 1")
    if was_idle:
        connection.rollback()


@contextmanager
def search_path(connection: Any, schema: str) -> Iterator[None]:
    """Inside the block, names without a schema are those of ``schema``; afterwards the search_path is as it was.

    The block must not commit: the setting belongs to the transaction. It is set by a statement, because RDS Proxy
    refuses start-up options (psycopg2 issue 1577).
    """
    before = fetch_value(connection, "select current_setting('search_path')")
    _set_search_path(connection, sql.Identifier(schema).as_string(connection))
    try:
        yield
    finally:
        # A failed transaction takes no statement; its rollback undoes the setting.
        if connection.get_transaction_status() == TRANSACTION_STATUS_INTRANS:
            _set_search_path(connection, before)


def _set_search_path(connection: Any, path: str) -> None:
    execute(connection, "select set_config('search_path', %s, true)", (path,))


@contextmanager
def named_database_errors() -> Iterator[None]:
    """Turn the errors of psycopg2 into MissingRight or DatabaseFailed, whichever statement raised them."""
    try:
        yield
    except InsufficientPrivilege as error:
        message = "The database user lacks a right: {}. Grant it and try again."
        raise MissingRight(with_reason(message, error)) from error
    except Error as error:
        raise DatabaseFailed(with_reason("The database failed: {}. " + remedy(type(error)), error)) from error


def with_reason(message: str, error: Error) -> str:
    """The message with the first line of what the server says, and the other lines after it."""
    first, *details = str(error).strip().splitlines() or [type(error).__name__]
    return "\n".join([message.format(first), *details])


def remedy(kind: type[Error]) -> str:
    """Whether trying again helps: it does if the connection, the server or another session was the cause."""
    if issubclass(kind, DiskFull):
        return "Make room on the server's disk, and try again: what had been written was rolled back."
    if issubclass(kind, RaiseException):
        return (
            "All of it was rolled back. A trigger or an event trigger that somebody has added to the database refuses "
            "the statement: disable it while the migration runs, and try again."
        )
    if issubclass(kind, UntranslatableCharacter):
        return (
            "All of it was rolled back. The database's encoding lacks a character that the rows have: migrate into a "
            "database whose encoding is UTF8."
        )
    if issubclass(kind, _OF_THE_MOMENT) and not issubclass(kind, _LIMITS):
        return "Try again: work that was committed is recognised, the rest was rolled back."
    return (
        "All of it was rolled back. Trying again will not help as long as the rows and tables are as they are: mend "
        "what the message names in the source, and export again. Excluding the table would leave out its rows "
        "only, and not the table itself."
    )
