"""A value as COPY would write it, in pieces: however large it is, little of it is in memory."""

from __future__ import annotations

import io
from typing import Any, Iterator, Sequence

from psycopg2 import sql

from mwaa_migrator.postgres.session import fetch_all

#: Characters, or bytes of a bytea, that are read at once.
SLICE = 4 * 1024 * 1024


def slices(connection: Any, table: str, row: Sequence[Any], column: str, is_bytea: bool) -> Iterator[bytes]:
    """The pieces of one field of COPY text. ``table`` is a name in SQL, ``row`` its table's oid and its ``ctid``."""
    name = sql.Identifier(column)
    table_oid, ctid = row
    place = sql.SQL(" from {} where tableoid = {} and ctid = {}::tid").format(
        sql.SQL(table), sql.Literal(table_oid), sql.Literal(ctid)
    )
    length = sql.SQL("octet_length({})" if is_bytea else "length({}::text)").format(name)
    ((size,),) = fetch_all(connection, sql.SQL("select {}").format(length) + place)
    if size is None or size <= SLICE:
        yield _copied(connection, name + place)
        return
    if is_bytea:
        # As COPY writes it: the backslash of \\x is escaped.
        yield b"\\\\x"
    piece = sql.SQL("encode(substring({} from {} for {}), 'hex')" if is_bytea else "substring({}::text from {} for {})")
    for start in range(1, size + 1, SLICE):
        yield _copied(connection, piece.format(name, sql.Literal(start), sql.Literal(SLICE)) + place)


def _copied(connection: Any, expression: sql.Composable) -> bytes:
    """One value of one row in COPY's text format, without its line end."""
    file = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(sql.SQL("copy (select {}) to stdout").format(expression), file)
    return file.getvalue()[:-1]
