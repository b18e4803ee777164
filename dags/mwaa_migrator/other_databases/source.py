"""A metadata database that is not PostgreSQL, as of one instant: what an export asks it, and how its SQL reads.

The database itself writes each row as one text, because Python would take 20 microseconds for its values. Python only
escapes what COPY takes for the end of something, in all of a line at once. A value
that PostgreSQL would not take begins with a NUL character in its line: no text of PostgreSQL's has one, so a line that
has it is an exception, and Python looks at it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from mwaa_migrator.postgres.catalog import Column

#: Rows that are fetched at once.
_FETCH = 500

#: Types of columns whose values can be of any length; of the others a value is part of a line whatever it is.
UNLIMITED = ("text", "bytea", "json", "jsonb", "character varying")

_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}


class Source(ABC):
    """``product`` is its name for messages; ``columns`` are those of its tables, by the tables' names."""

    product: str
    airflow_version: str
    revision: str
    columns: Dict[str, Sequence[str]]
    #: Seconds since the epoch of the instant that is read.
    snapshot_time: float
    database: str
    #: The function that counts the characters of a text.
    characters: str

    @abstractmethod
    def query(self, statement: str) -> Iterator[Tuple[Any, ...]]:
        """The rows, a few at a time; text and binary values are bytes."""

    @abstractmethod
    def unique_keys(self, table: str) -> List[Tuple[str, ...]]:
        """The sets of columns that the database keeps unique."""

    @abstractmethod
    def row_key(self, table: str, primary_key: Sequence[str]) -> Sequence[str]:
        """SQL, on the alias ``t``, of the columns by which a row is found again."""

    @abstractmethod
    def field(self, table: str, column: Column) -> str:
        """The SQL of a value as COPY text before anything is escaped; NULL for NULL."""

    @abstractmethod
    def hashed(self, table: str, column: Column) -> str:
        """The SQL of the text that stands for a value in its row's hash; NULL for NULL."""

    @abstractmethod
    def joined(self, texts: Sequence[str], separator: str) -> str:
        """The SQL of texts with a separator between them; none of them is NULL."""

    @abstractmethod
    def row_hash(self, text: str) -> str:
        """The SQL of the MD5 of a row's text, as hexadecimal digits."""

    @abstractmethod
    def raw(self, column: Column) -> str:
        """The SQL of a value as bytes."""

    @abstractmethod
    def exactly(self, value: str) -> str:
        """The SQL of a text that equals another only if each character does."""

    def value(self, statement: str) -> Any:
        """The first column of the first row; None if there is no row."""
        for row in self.query(statement):
            return row[0]
        return None

    def text_value(self, statement: str) -> str | None:
        return as_text(self.value(statement))


def fetched(cursor: Any) -> Iterator[Tuple[Any, ...]]:
    """A cursor's rows, not all of them at once."""
    try:
        while True:
            rows = cursor.fetchmany(_FETCH)
            if not rows:
                return
            yield from rows
    finally:
        cursor.close()


def as_text(value: Any) -> str | None:
    """A name or a key as the database gave it: bytes, text or a number."""
    if value is None:
        return None
    return value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else str(value)


def name(identifier: str) -> str:
    """A name in quotes that both SQLite and MySQL take.

    Every name in the SQL of these modules is quoted by this, and every text by ``literal``, which is why the findings
    about SQL that is put together (B608) are none.
    """
    return "`" + identifier.replace("`", "``") + "`"


def column_of(alias: str, column: str) -> str:
    return f"{alias}.{name(column)}"


def literal(text: str) -> str:
    """MySQL takes it for what it is only where a backslash is no escape, as in the engine's sessions."""
    return "'" + text.replace("'", "''") + "'"


def kind(column: Column) -> str:
    """The type without its length."""
    return column.type.split("(")[0]


def is_unlimited(column: Column) -> bool:
    return column.type in UNLIMITED


def odd(value: str) -> str:
    """A value that PostgreSQL does not take, which Python will name."""
    return f"char(0) || {value}"


def limits(column: Column) -> Tuple[int, int] | None:
    """The least and the greatest number of an integer column; None for other columns."""
    bits = _INTEGERS.get(column.type)
    return None if bits is None else (-(2**bits), 2**bits - 1)


def shortened(value: str) -> str:
    """What a fraction has in a row's hash: six digits, which every database computes alike."""
    return f"{value} * 1000000"
