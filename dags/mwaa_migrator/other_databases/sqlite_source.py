"""SQLite: a copy of the database, made by SQLite's own backup, and how its SQL writes COPY text.

The copy takes as long as reading the file once; only then must a scheduler that writes wait. An export of the database
itself would hold it up for all of its own time. SQLite keeps in any column what it was given, so each value is looked
at: text in a column of numbers, a text that is too long, a date that no calendar has.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from mwaa_migrator.errors import DatabaseFailed, DatabaseUnreachable
from mwaa_migrator.other_databases.source import (
    Source,
    column_of,
    fetched,
    kind,
    limits,
    literal,
    odd,
    shortened,
)
from mwaa_migrator.postgres.catalog import Column

_DIGIT = "[0-9]"
_DATE = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2}"
_TIME = f"{_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}"


class SQLiteSource(Source):
    def __init__(self, connection: sqlite3.Connection, database: str, airflow_version: str) -> None:
        self.product = f"SQLite {sqlite3.sqlite_version}"
        self.database = database
        self.characters = "length"
        self.airflow_version = airflow_version
        self.snapshot_time = time.time()
        self._connection = connection
        tables = [
            str(table)
            for (table,) in connection.execute("select name from sqlite_master where type = 'table' order by name")
        ]
        self.columns: Dict[str, Sequence[str]] = {
            table: [row[1] for row in connection.execute(f"pragma table_info({literal(table)})")] for table in tables
        }
        connection.text_factory = bytes
        for function, arguments in ((_md5, 1), (_float_text, 1), (_is_json, 1)):
            connection.create_function(function.__name__.strip("_"), arguments, function)

    def query(self, statement: str) -> Iterator[Tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(statement)
        return fetched(cursor)

    def unique_keys(self, table: str) -> List[Tuple[str, ...]]:
        quoted = literal(table)
        primary = [
            (position, column.decode())
            for _, column, _, _, _, position in self.query(f"pragma table_info({quoted})")
            if position
        ]
        keys = [tuple(column for _, column in sorted(primary))] if primary else []
        for _, index, is_unique, *_ in list(self.query(f"pragma index_list({quoted})")):
            columns = [row[2] for row in self.query(f"pragma index_info({literal(index.decode())})")]
            # An index on an expression has a column without a name.
            if is_unique and all(columns):
                keys.append(tuple(column.decode() for column in columns))
        return keys

    def row_key(self, table: str, primary_key: Sequence[str]) -> Sequence[str]:
        return ("t.rowid",)

    def field(self, table: str, column: Column) -> str:
        value, of = column_of("t", column.name), kind(column)
        wrong = odd(f"cast({value} as text)")
        return f"case when {value} is null then null {_cases(column, of, value)} else {wrong} end"

    def hashed(self, table: str, column: Column) -> str:
        value, of = column_of("t", column.name), kind(column)
        if of == "boolean":
            return f"case when {_is_true(value)} then '1' when {value} is not null then '0' end"
        if of in ("double precision", "real", "numeric"):
            exact = f"cast({shortened(value)} as integer)"
            return f"case when abs({value}) < 1e12 then {exact} when {value} is not null then 'large' end"
        if of.startswith("timestamp"):
            digits = f"substr(substr({value}, 21) || '000000', 1, 6)"
            return f"substr({value}, 1, 10) || ' ' || substr({value}, 12, 8) || '.' || {digits}"
        if of in ("text", "json", "bytea") or column.type == "character varying":
            return f"md5(cast({value} as blob))"
        if of == "jsonb":
            return f"case when {value} is not null then '{{}}' end"
        return f"replace(lower({value}), '-', '')" if of == "uuid" else value

    def joined(self, texts: Sequence[str], separator: str) -> str:
        return f" || {literal(separator)} || ".join(texts)

    def row_hash(self, text: str) -> str:
        return f"md5(cast({text} as blob))"

    def raw(self, column: Column) -> str:
        return f"cast({column_of('t', column.name)} as blob)"

    def exactly(self, value: str) -> str:
        return f"{value} collate binary"


def _cases(column: Column, of: str, value: str) -> str:
    """The conditions under which a value is one of PostgreSQL's, each with its COPY text."""
    least_and_most = limits(column)
    if least_and_most is not None:
        within = "{} between {} and {}".format(value, *least_and_most)
        return (
            f"when typeof({value}) = 'integer' and {within} then {value} "
            f"when typeof({value}) = 'real' and {value} = cast({value} as integer) and {within} "
            f"then cast({value} as integer)"
        )
    if of == "boolean":
        return f"when {_is_true(value)} then 't' when {_is_false(value)} then 'f'"
    if of in ("double precision", "real", "numeric"):
        return f"when typeof({value}) in ('integer', 'real') then float_text({value})"
    if of.startswith("timestamp"):
        return f"when {_is_time(value)} then {value} || '{'+00' if of.endswith('with time zone') else ''}'"
    if of == "bytea":
        return f"when typeof({value}) in ('blob', 'text') then '\\x' || lower(hex({value}))"
    if of in ("json", "jsonb"):
        return f"when typeof({value}) = 'text' and is_json({value}) then {value}"
    most = column.most_characters
    if most is None or most == float("inf"):
        return f"when typeof({value}) = 'text' then {value}"
    return f"when typeof({value}) = 'text' and length({value}) <= {most} then {value}"


def _is_true(value: str) -> str:
    return f"({value} = 1 or lower({value}) in ('t', 'true'))"


def _is_false(value: str) -> str:
    return f"({value} = 0 or lower({value}) in ('f', 'false'))"


def _is_time(value: str) -> str:
    """As SQLAlchemy writes it: UTC, without a zone, with or without a fraction. With a step of no
    days, SQLite makes 2 March of 31 February."""
    whole = f"replace(substr({value}, 1, 19), 'T', ' ')"
    fraction = f"substr({value}, 20, 1) = '.' and length({value}) between 21 and 26"
    return (
        f"typeof({value}) = 'text' and {value} glob '{_DATE}[ T]{_TIME}*' and {value} >= '0001' "
        f"and datetime({whole}, '+0 days') = {whole} "
        f"and (length({value}) = 19 or ({fraction} and substr({value}, 21) not glob '*[^0-9]*'))"
    )


def _md5(value: Any) -> str | None:
    return None if value is None else hashlib.md5(value).hexdigest()  # nosec B324


def _float_text(value: Any) -> str:
    """SQLite writes 15 digits of a number, and two more can make the difference."""
    return repr(float(value))


def _is_json(value: Any) -> int:
    try:
        json.loads(value, parse_constant=_refuse)
    except ValueError:
        return 0
    return 1


def _refuse(constant: str) -> None:
    """NaN and Infinity are Python's, and no JSON."""
    raise ValueError(constant)


@contextmanager
def open_sqlite(path: str, airflow_version: str) -> Iterator[Source]:
    """The copy, in a temporary file that goes with the block.

    Raises DatabaseUnreachable if there is no such file, and DatabaseFailed for what SQLite says of it.
    """
    if not os.path.isfile(path):
        raise DatabaseUnreachable(f"There is no SQLite database {path}. Check Airflow's sql_alchemy_conn.")
    with tempfile.TemporaryDirectory(prefix="mwaa_migrator-") as directory:
        try:
            copy = os.path.join(directory, "metadata.db")
            with closing(sqlite3.connect(path)) as original, closing(sqlite3.connect(copy)) as connection:
                # In one step: of a database that is written meanwhile, several steps would begin again and again.
                original.backup(connection)
            with closing(sqlite3.connect(copy)) as connection:
                yield SQLiteSource(connection, os.path.basename(path), airflow_version)
        except sqlite3.Error as error:
            message = (
                "SQLite failed on a copy of {} in {}: {}. Make room there (TMPDIR names another folder), or look at "
                "the database with SQLite's 'pragma integrity_check'."
            )
            raise DatabaseFailed(message.format(path, directory, error)) from error
