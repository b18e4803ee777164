"""Reads and writes values of a table in batches of a few megabytes, whatever the size of each value."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Tuple

from psycopg2 import sql

from mwaa_migrator.postgres.session import execute, fetch_all

_ROWS = 1000
_BYTES = 4 * 1024 * 1024

#: A row's place, the value, and the candidates' other columns.
Row = Tuple[str, bytes, Tuple[Any, ...]]


def read_in_batches(
    connection: Any, candidates: sql.Composable, table: sql.Composable, column: str
) -> Iterator[List[Row]]:
    """``candidates`` is a query for the place (``ctid`` as text) and the bytes of each value, and more columns.

    The transaction keeps the places of rows that it has seen. Between two batches the caller may write to them.
    """
    with connection.cursor("mwaa_migrator_candidates") as found:
        found.itersize = _ROWS
        found.execute(candidates)
        batch: List[Tuple[Any, ...]] = []
        size = 0
        for row in found:
            if batch and (len(batch) == _ROWS or size + row[1] > _BYTES):
                yield _with_values(connection, table, column, batch)
                batch, size = [], 0
            batch.append(row)
            size += row[1]
        if batch:
            yield _with_values(connection, table, column, batch)


def _with_values(connection: Any, table: sql.Composable, column: str, batch: List[Tuple[Any, ...]]) -> List[Row]:
    query = sql.SQL("select t.ctid::text, t.{} from {} t where t.ctid = any({}::tid[])").format(
        sql.Identifier(column), table, sql.Literal([row[0] for row in batch])
    )
    values = {place: bytes(value) for place, value in fetch_all(connection, query)}
    return [(row[0], values[row[0]], row[2:]) for row in batch if row[0] in values]


def write(connection: Any, table: sql.Composable, column: str, values: Mapping[str, Any]) -> None:
    """Set the values of the rows at these places."""
    if values:
        statement = sql.SQL(
            "update {} t set {} = v.value from unnest({}::tid[], {}::bytea[]) v (place, value) where t.ctid = v.place"
        )
        places, new = list(values), list(values.values())
        execute(connection, statement.format(table, sql.Identifier(column), sql.Literal(places), sql.Literal(new)))
