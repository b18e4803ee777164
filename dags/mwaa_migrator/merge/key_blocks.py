"""Surrogate keys: which numbers the source's rows get in the target. UUIDs stay as they are.

A table whose rows are numbered by a sequence gets a block of the target's sequence, as wide as the source's numbers. So
every number moves by one offset, and a reference to it follows by one addition. The block is taken from the sequence
before the merge, under a short lock, so that the rows which the target's Airflow adds meanwhile get other numbers. A
merge that fails leaves a gap in the sequence and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg2 import sql

from mwaa_migrator.errors import KeySpaceExhausted
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact

_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


class KeyBlock(NamedTuple):
    """The source's keys from ``lowest`` to ``highest`` become keys + ``offset``."""

    lowest: int
    highest: int
    offset: int

    def renumber(self, value: sql.Composable) -> sql.Composable:
        return sql.SQL("({} + {})").format(value, sql.Literal(self.offset))

    def renumber_reference(self, value: sql.Composable) -> sql.Composable:
        """A reference to a row that the source no longer had becomes NULL in the target."""
        return sql.SQL("(case when {0} between {1} and {2} then {0} + {3} end)").format(
            value, sql.Literal(self.lowest), sql.Literal(self.highest), sql.Literal(self.offset)
        )


def reserve_key_blocks(upgraded: UpgradedArtifact) -> dict[str, KeyBlock]:
    """Take a block from the sequence of each merged table that has one; commits.

    Raises KeySpaceExhausted if a column's type has no room for its block.
    """
    return {
        name: _reserve(upgraded, table, table.surrogate_key)
        for name, table in upgraded.tables.items()
        if table.surrogate_key is not None and not table.has_uuid_key
    }


def _reserve(upgraded: UpgradedArtifact, table: Table, key: str) -> KeyBlock:
    connection = upgraded.connection
    column = sql.Identifier(key)
    extent = sql.SQL("select min({0}), max({0}) from {1}").format(column, upgraded.scratch.table(table.name))
    lowest, highest = fetch_all(connection, extent)[0]
    connection.rollback()
    if lowest is None:
        return KeyBlock(0, -1, 0)
    target = upgraded.target.table(table.name)
    # Nobody who inserts is between taking a number and using it: the lock excludes theirs.
    execute(connection, sql.SQL("lock table {} in share row exclusive mode").format(target))
    sequence = _sequence(upgraded, table, key)
    used = fetch_value(
        connection,
        sql.SQL(
            "select greatest((select coalesce(max({}), 0) from {}), (select last_value - (not is_called)::int from {}))"
        ).format(column, target, sql.SQL(sequence)),
    )
    offset = used + 1 - lowest
    kind = table.column(key).type
    if highest + offset > _LARGEST[kind]:
        connection.rollback()
        message = (
            "{}.{} is of type {} and has no room for {:,} more numbers after {:,}. Export fewer days of history with "
            "options.historyDays (--days on the command line), or leave the table out with options.excludeTables "
            "(--exclude-tables)."
        )
        raise KeySpaceExhausted(message.format(table.name, key, kind, highest - lowest + 1, used))
    execute(connection, "select setval(%s::regclass, %s)", (sequence, highest + offset))
    connection.commit()
    return KeyBlock(lowest, highest, offset)


def _sequence(upgraded: UpgradedArtifact, table: Table, key: str) -> str:
    """The sequence that numbers the rows, quoted; the column need not own it."""
    name = upgraded.target.table(table.name).as_string(upgraded.connection)
    owned = fetch_value(upgraded.connection, "select pg_get_serial_sequence(%s, %s)", (name, key))
    if owned is not None:
        return str(owned)
    (unowned,) = [sequence for sequence in table.sequences if sequence.column == key]
    return str(upgraded.target.table(unowned.name).as_string(upgraded.connection))
