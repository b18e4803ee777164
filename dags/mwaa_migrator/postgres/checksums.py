"""Checksums over rows, computed in the database, whatever order the rows are in.

A row's hash is a 64-bit integer; a table's checksum is the sum of its rows' hashes, so equal multisets of rows have
equal checksums. Two databases can be compared only by the same algorithm, which the manifest therefore names:

* ``hash_record_extended`` (PostgreSQL 14 and later) hashes the values as they are stored. PostgreSQL keeps the
  extended hash functions of its types stable between releases, because hash partitioning depends on them.
* ``md5_of_texts`` hashes texts that other databases compute alike (postgres/text_checksum.py): the source was none of
  PostgreSQL's.
* ``md5`` hashes the row's text, on older servers. Floating-point numbers count as their bytes: PostgreSQL 12 changed
  the digits that it writes.

Text counts as UTF-8, whatever the database's encoding is.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Column
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.postgres.text_checksum import NULL, SEPARATOR, TEXT_MD5

HASH_RECORD = "hash_record_extended"
MD5 = "md5"

#: The server encoding that stands for none: text is stored as its client sent it. Airflow sends UTF-8.
WITHOUT_ENCODING = "SQL_ASCII"
#: Server encodings in which text is stored as UTF-8.
STORED_AS_UTF8 = ("UTF8", WITHOUT_ENCODING)
_TEXT = ("text", "character varying", "character", "name")
_FLOATS = {"double precision": sql.SQL("float8send"), "real": sql.SQL("float4send")}

#: Types with a hash function of their own; all others (json above all) are hashed as text.
_HASHABLE = (
    "integer", "bigint", "smallint", "boolean", "text", "bytea", "double precision", "real", "numeric", "uuid", "date",
    "timestamp with time zone", "timestamp without time zone", "character varying", "character", "jsonb",
)  # fmt: skip


class Checksum(NamedTuple):
    """``rows`` and the sum of their hashes, as text because it exceeds 64 bits and JSON's safe integers."""

    rows: int
    value: str


def fastest_algorithm(connection: Any) -> str:
    """The fastest algorithm that this server has."""
    return HASH_RECORD if connection.server_version >= 140000 else MD5


def hashable(column: Column, value: sql.Composable) -> sql.Composable:
    """``value`` in a form that every algorithm can hash."""
    if column.type.split("(")[0] in _HASHABLE:
        return value
    return sql.SQL("({})::text").format(value)


def row_hash(values: Sequence[sql.Composable], algorithm: str) -> sql.Composed:
    """An SQL expression of type bigint over the values of a row."""
    # Without the keyword, a row of one value would be a parenthesised expression.
    row = sql.SQL("row({})").format(sql.SQL(", ").join(values))
    if algorithm == TEXT_MD5:
        null, separator = sql.Literal(NULL), sql.Literal(SEPARATOR)
        texts = sql.SQL(", ").join([sql.SQL("coalesce({}, {})").format(value, null) for value in values])
        return sql.SQL("('x' || left(md5(convert_to(concat_ws({}, {}), 'UTF8')), 16))::bit(64)::bigint").format(
            separator, texts
        )
    if algorithm == HASH_RECORD:
        return sql.SQL("hash_record_extended({}, 0)").format(row)
    return sql.SQL("('x' || left(md5(convert_to({}::text, 'UTF8')), 16))::bit(64)::bigint").format(row)


def column_values(columns: Sequence[Column], alias: str) -> Sequence[sql.Composable]:
    return [hashable(column, identifiers.column(alias, column.name)) for column in columns]


def checksum_query(
    source: sql.Composable,
    columns: Sequence[Column],
    algorithm: str,
    where: sql.Composable | None = None,
    server_encoding: str = "UTF8",
) -> sql.Composed:
    """A query for one row ``(count, sum)`` over ``source``, a FROM item that gets the alias ``t``."""
    return sql.SQL("select count(*), coalesce(sum({}), 0)::text from {} t{}").format(
        portable_row_hash(columns, algorithm, server_encoding),
        source,
        sql.SQL("") if where is None else sql.SQL(" where {}").format(where),
    )


def portable_row_hash(columns: Sequence[Column], algorithm: str, server_encoding: str) -> sql.Composed:
    """``row_hash`` over these columns of the alias ``t``, the same on every server."""
    return row_hash([_independent(column, algorithm, server_encoding) for column in columns], algorithm)


def _independent(column: Column, algorithm: str, server_encoding: str) -> sql.Composable:
    """The column's value in a form that every server hashes alike."""
    value = identifiers.column("t", column.name)
    kind = column.type.split("(")[0]
    if algorithm == TEXT_MD5:
        return _text(column, value)
    if algorithm == MD5:
        return sql.SQL("{}({})").format(_FLOATS[kind], value) if kind in _FLOATS else hashable(column, value)
    if server_encoding in STORED_AS_UTF8 or (kind in _HASHABLE and kind not in _TEXT):
        return hashable(column, value)
    # PostgreSQL hashes text by its bytes, and these bytes as it hashes the same text in UTF-8.
    return sql.SQL("convert_to(({})::text, 'UTF8')").format(value)


def _text(column: Column, value: sql.Composable) -> sql.Composed:
    """As postgres/text_checksum.py says."""
    kind = column.type.split("(")[0]
    form = "({0})::text"
    if kind == "boolean":
        form = "({0})::int::text"
    elif kind in ("double precision", "real", "numeric"):
        form = "case when abs({0}) < 1e12 then trunc({0} * 1000000)::bigint::text when {0} is not null then 'large' end"
    elif kind == "timestamp with time zone":
        form = "to_char({0} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
    elif kind == "timestamp without time zone":
        form = "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US')"
    elif kind == "bytea":
        form = "md5({0})"
    elif kind in ("text", "json") or column.type == "character varying":
        form = "md5(convert_to(({0})::text, 'UTF8'))"
    elif kind == "jsonb":
        form = "case when {0} is not null then '{{}}' end"
    elif kind == "uuid":
        form = "replace(({0})::text, '-', '')"
    return sql.SQL(form).format(value)


def checksum(
    connection: Any,
    source: sql.Composable,
    columns: Sequence[Column],
    algorithm: str,
    where: sql.Composable | None = None,
) -> Checksum:
    ((rows, value),) = fetch_all(connection, checksum_query(source, columns, algorithm, where))
    return Checksum(int(rows), str(value))
