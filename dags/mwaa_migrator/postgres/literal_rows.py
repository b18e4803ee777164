"""Rows that a query has its values from, as literals in it."""

from __future__ import annotations

from typing import Iterable, Sequence

from psycopg2 import sql


def literal_rows(rows: Iterable[Sequence[str]], columns: int) -> sql.Composed:
    """A query for these rows, each of so many texts."""
    given = list(rows)
    arrays = [
        sql.SQL("{}::text[]").format(sql.Literal([row[position] for row in given])) for position in range(columns)
    ]
    return sql.SQL("select * from unnest({})").format(sql.SQL(", ").join(arrays))
