"""Surrogate keys: where the source's numbers go in the target.

A table whose rows are numbered by a sequence gets a block of the target's sequence as wide as the source's numbers, so
every number moves by one offset and a reference moves with a subtraction. The block is taken from the sequence before
the merge, under a short lock, so that rows which the target's Airflow adds meanwhile never meet ours; a merge that
fails leaves a gap in the numbers and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg2 import sql

from mwaa_migrator.errors import KeySpaceExhausted
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, identifiers

_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


class Block(NamedTuple):
    """The source's keys from ``lowest`` to ``highest`` become keys + ``offset``."""

    lowest: int
    highest: int
    offset: int

    def renumber(self, value: sql.Composable) -> sql.Composable:
        return sql.SQL("({} + {})").format(value, sql.Literal(self.offset))

    def renumber_reference(self, value: sql.Composable) -> sql.Composable:
        """A reference to a row that the source did not have any more points at nothing in the target either."""
        return sql.SQL("(case when {0} between {1} and {2} then {0} + {3} end)").format(
            value, sql.Literal(self.lowest), sql.Literal(self.highest), sql.Literal(self.offset)
        )


def reserve_block(connection: Any, scratch: str, schema: str, table: Table) -> Block:
    """Take a block for the scratch table's keys from the target's sequence; commits.

    Raises KeySpaceExhausted where the column's type has no room for it.
    """
    key = table.surrogate_key
    assert key is not None
    query = sql.SQL("select min({0}), max({0}) from {1}").format(identifiers([key]), qualified(scratch, table.name))
    lowest, highest = fetch_all(connection, query)[0]
    if lowest is None:
        connection.rollback()
        return Block(0, -1, 0)
    target = qualified(schema, table.name)
    connection.commit()
    # Whoever inserts needs a lock that this one excludes, so nobody is between taking a number and using it.
    execute(connection, sql.SQL("lock table {} in share row exclusive mode").format(target))
    sequence = fetch_value(connection, "select pg_get_serial_sequence(%s, %s)", (target.as_string(connection), key))
    used = fetch_value(
        connection,
        sql.SQL(
            "select greatest((select coalesce(max({}), 0) from {}), (select last_value - (not is_called)::int from {}))"
        ).format(identifiers([key]), target, sql.SQL(sequence)),
    )
    offset = used + 1 - lowest
    if highest + offset > _LARGEST[table.column(key).type]:
        connection.rollback()
        message = "{}.{} is a {} and has no room for {:,} more numbers after {:,}."
        raise KeySpaceExhausted(
            message.format(table.name, key, table.column(key).type, highest - lowest + 1, used)
            + " Export fewer days of history, or leave the table out with --exclude-tables."
        )
    execute(connection, "select setval(%s::regclass, %s)", (sequence, highest + offset))
    connection.commit()
    return Block(lowest, highest, offset)


def reserve_blocks(connection: Any, scratch: str, schema: str, tables: dict[str, Table]) -> dict[str, Block]:
    return {
        name: reserve_block(connection, scratch, schema, table)
        for name, table in tables.items()
        if table.surrogate_key is not None
    }
