"""MySQL and MariaDB: one transaction that sees one instant, and how their SQL writes COPY text.

The driver is Airflow's own (mysqlclient or PyMySQL), and reads one row after the other from the server instead of
holding all of them. Airflow's times are TIMESTAMP, which the session's time zone changes, so that is UTC.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from mwaa_migrator.airflow_schema.tables import reason_not_exported
from mwaa_migrator.errors import DatabaseFailed, DatabaseNotSupported, DatabaseUnreachable, MissingRight
from mwaa_migrator.other_databases.source import (
    Source,
    as_text,
    column_of,
    fetched,
    kind,
    limits,
    literal,
    odd,
    shortened,
)
from mwaa_migrator.postgres.catalog import Column
from mwaa_migrator.this_airflow.migrations import tables_in_migrations

#: In their order. The modes make ``||`` join texts, and a backslash a character like any other.
_SETTINGS = (
    "set names utf8mb4",
    "set session sql_mode = 'PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
    "set session time_zone = '+00:00'",
    "set session transaction isolation level repeatable read",
    "set session net_write_timeout = 3600",
)

_NO_RIGHT = (1044, 1142, 1143, 1227)

#: MySQL 5.7 and MariaDB 10.2 have JSON_VALID; both are the oldest that their makers or Airflow's supported.
_OLDEST = {"MySQL": (5, 7), "MariaDB": (10, 2)}


class _Declared(NamedTuple):
    """What MySQL says of a column: its type, the characters that it takes, and the digits of a time's fraction."""

    type: str
    characters: int | None
    fraction: int | None


class MySQLSource(Source):
    def __init__(self, connection: Any, database: str, airflow_version: str, product: str) -> None:
        self.product = product
        self.database = database
        self.airflow_version = airflow_version
        self.characters = "char_length"
        self._connection = connection
        self._declared: Dict[str, Dict[str, _Declared]] = {}
        for table, column, type_, characters, fraction in self.query(
            "select c.table_name, c.column_name, c.data_type, c.character_maximum_length, c.datetime_precision "
            "from information_schema.columns c join information_schema.tables t "
            "on t.table_schema = c.table_schema and t.table_name = c.table_name "
            "where c.table_schema = database() and t.table_type = 'BASE TABLE' "
            "order by c.table_name, c.ordinal_position"
        ):
            of_table = self._declared.setdefault(str(as_text(table)), {})
            of_table[str(as_text(column))] = _Declared(str(as_text(type_)), characters, fraction)
        self.columns: Dict[str, Sequence[str]] = {table: list(columns) for table, columns in self._declared.items()}
        self.snapshot_time = float(self.value("select unix_timestamp(now(6))"))

    def query(self, statement: str) -> Iterator[Tuple[Any, ...]]:
        cursor = _unbuffered(self._connection)
        cursor.execute(statement)
        return fetched(cursor)

    def unique_keys(self, table: str) -> List[Tuple[str, ...]]:
        keys: Dict[str, List[str]] = {}
        for index, column in self.query(
            "select index_name, column_name from information_schema.statistics where table_schema = database() "
            f"and table_name = {literal(table)} and non_unique = 0 order by index_name, seq_in_index"  # nosec B608
        ):
            keys.setdefault(str(as_text(index)), []).append(str(as_text(column)))
        return [tuple(columns) for columns in keys.values()]

    def row_key(self, table: str, primary_key: Sequence[str]) -> Sequence[str]:
        return [column_of("t", column) for column in primary_key]

    def field(self, table: str, column: Column) -> str:
        value, of = column_of("t", column.name), kind(column)
        if of == "boolean":
            return f"case when {value} is null then null when {value} then 't' else 'f' end"
        least_and_most = limits(column)
        if least_and_most is not None:
            within = "{} between {} and {}".format(value, *least_and_most)
            return f"case when {value} is null then null when {within} then {value} else {odd(value)} end"
        if of in ("double precision", "real", "numeric"):
            # A FLOAT writes 6 digits of itself, and as a DOUBLE all that it has.
            return f"cast({value} * 1e0 as char)"
        if of.startswith("timestamp"):
            return self._time(table, column, value)
        if of == "bytea":
            return f"concat('\\x', lower(hex({value})))"
        text = _bytes(value)
        if of in ("json", "jsonb"):
            return f"case when {value} is null then null when json_valid({value}) then {text} else {odd(text)} end"
        most = column.most_characters
        declared = self._declared[table][column.name].characters
        if most is not None and most != float("inf") and (declared is None or declared > most):
            fits = f"char_length({value}) <= {int(most)}"
            return f"case when {value} is null then null when {fits} then {text} else {odd(text)} end"
        return text

    def _time(self, table: str, column: Column, value: str) -> str:
        """A date that has no month or no day is NULL for Airflow's drivers, where it is all zeros."""
        zone = " || '+00'" if column.type.endswith("with time zone") else ""
        text = _time_text(self._declared[table][column.name], value)
        zero = odd(text) if column.not_null else f"case when {value} = 0 then null else {odd(text)} end"
        broken = f"month({value}) = 0 or dayofmonth({value}) = 0"
        return f"case when {value} is null then null when {broken} then {zero} else {text}{zone} end"

    def hashed(self, table: str, column: Column) -> str:
        value, of = column_of("t", column.name), kind(column)
        if of == "boolean":
            return f"if({value}, 1, if({value} is null, null, 0))"
        if of in ("double precision", "real", "numeric"):
            exact = f"cast(truncate({shortened(value)}, 0) as signed)"
            return f"case when abs({value}) < 1e12 then {exact} when {value} is not null then 'large' end"
        if of.startswith("timestamp"):
            return f"if({value} = 0, null, {_time_text(self._declared[table][column.name], value)})"
        if of == "bytea":
            return f"md5({value})"
        if of in ("text", "json") or column.type == "character varying":
            return f"md5({_bytes(value)})"
        if of == "jsonb":
            return f"if({value} is not null, '{{}}', null)"
        if of == "uuid":
            return f"replace(lower({value}), '-', '')"
        return _bytes(value) if of.startswith("character") else value

    def joined(self, texts: Sequence[str], separator: str) -> str:
        # Of many || the server makes one function inside the other, and copies what it has for each.
        return f"concat_ws({literal(separator)}, {', '.join(texts)})"

    def row_hash(self, text: str) -> str:
        return f"md5({text})"

    def raw(self, column: Column) -> str:
        value = column_of("t", column.name)
        return value if kind(column) == "bytea" else _bytes(value)

    def exactly(self, value: str) -> str:
        return f"cast({value} as binary)"


def _bytes(value: str) -> str:
    """A text as UTF-8, whatever its column's encoding is; as bytes, no collation makes two of them equal."""
    return f"cast(convert({value} using utf8mb4) as binary)"


def _time_text(declared: _Declared, value: str) -> str:
    if declared.fraction == 6:
        return f"cast({value} as char)"
    return f"date_format({value}, '%Y-%m-%d %H:%i:%s.%f')"


def _unbuffered(connection: Any) -> Any:
    """A cursor that reads rows as they are fetched."""
    driver = type(connection).__module__.split(".")[0]
    module = {"MySQLdb": "MySQLdb.cursors", "pymysql": "pymysql.cursors"}.get(driver)
    if module is None:
        raise DatabaseNotSupported(
            f"Airflow's driver of MySQL is {driver}, and the export knows mysqlclient and PyMySQL. Give it a "
            "sql_alchemy_conn that begins with mysql+mysqldb:// or mysql+pymysql://."
        )
    return connection.cursor(sys.modules[module].SSCursor)


@contextmanager
def open_mysql(engine: Any, airflow_version: str) -> Iterator[Source]:
    """One read-only transaction with a consistent snapshot, for the length of the block.

    Raises DatabaseUnreachable, DatabaseNotSupported for a table that is not InnoDB or a server that is too old,
    MissingRight, and DatabaseFailed.
    """
    connection = _connect(engine)
    try:
        for setting in _SETTINGS:
            _execute(connection, setting)
        ((version,),) = _fetch(connection, "select version()")
        product = _product(str(as_text(version)))
        _require_innodb(connection)
        _execute(connection, "start transaction with consistent snapshot, read only")
        yield MySQLSource(connection, str(engine.url.database), airflow_version, product)
    except engine.dialect.dbapi.Error as error:
        raise _named(error) from error
    finally:
        connection.close()


def _connect(engine: Any) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        # Through the engine, whose events and arguments are Airflow's, from a pool of its own.
        pooled = engine.pool.recreate().connect()
    except (SQLAlchemyError, engine.dialect.dbapi.Error) as error:
        message = "The metadata database does not answer: {}. Check Airflow's sql_alchemy_conn and the network."
        raise DatabaseUnreachable(message.format(str(error).strip().splitlines()[0])) from error
    connection = getattr(pooled, "driver_connection", None) or pooled.connection
    pooled.detach()
    connection.rollback()
    return connection


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()


def _fetch(connection: Any, statement: str) -> List[Tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(statement)
    rows = list(cursor.fetchall())
    cursor.close()
    return rows


def _product(version: str) -> str:
    """``MariaDB 10.11.6``; raises DatabaseNotSupported for a server that is too old."""
    maker = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    numbers = tuple(int(number) for number in version.split("-")[0].split(".")[:2])
    if numbers < _OLDEST[maker]:
        oldest = ".".join(str(number) for number in _OLDEST[maker])
        raise DatabaseNotSupported(f"The server is {maker} {version}, and the export needs {oldest} or later.")
    return "{} {}".format(maker, version.split("-")[0])


def _require_innodb(connection: Any) -> None:
    rows = _fetch(
        connection,
        "select table_name, engine from information_schema.tables where table_schema = database() "
        "and table_type = 'BASE TABLE' and engine <> 'InnoDB' order by table_name",
    )
    airflows = tables_in_migrations()
    others = {str(as_text(table)): str(as_text(engine)) for table, engine in rows}
    # Another application's tables are not read, and what an export leaves out needs no snapshot.
    others = {
        table: engine for table, engine in others.items() if table in airflows and reason_not_exported(table) is None
    }
    if others:
        raise DatabaseNotSupported(
            "These tables have no transactions, so no snapshot would hold for them: {}. Convert them: {}".format(
                ", ".join(f"{table} ({engine})" for table, engine in others.items()),
                " ".join(f"ALTER TABLE `{table}` ENGINE = InnoDB;" for table in others),
            )
        )


def _named(error: Any) -> Exception:
    code = error.args[0] if error.args else None
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if code in _NO_RIGHT:
        return MissingRight(f"The database user lacks a right: {text}. Grant SELECT on Airflow's tables and try again.")
    return DatabaseFailed(f"The metadata database failed ({code}): {text}. Export again.")
