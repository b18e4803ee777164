"""Surrogate keys: which numbers the source's rows get in the target. UUIDs stay as they are.

A table whose rows are numbered by a sequence gets a block of the target's sequence, as wide as the source's numbers. So
every number moves by one offset, and a reference to it follows by one addition. The block is taken from the sequence
before the merge, under a short lock, so that the rows which the target's Airflow adds meanwhile get other numbers. A
merge that fails leaves a gap in the sequence and nothing else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from psycopg2 import sql

from mwaa_migrator.errors import KeySpaceExhausted, RowsDoNotFit
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, search_path
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact

#: Sequences begin with 1.
_NO_KEY = -1

#: A default that takes numbers from a sequence, as PostgreSQL writes it: today, and for columns of before 8.1.
_NEXT_VALUE = re.compile(r"nextval\(\(?'((?:[^']|'')+)'(?:::text\)?)?::regclass\)$")
_SEQUENCE = """
    select format('%%I.%%I', n.nspname, c.relname)
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.oid = to_regclass(%s) and c.relkind = 'S'
"""

_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


class KeyBlock(NamedTuple):
    """The source's keys from ``lowest`` to ``highest`` become keys + ``offset``."""

    lowest: int
    highest: int
    offset: int

    def renumber(self, value: sql.Composable) -> sql.Composable:
        return sql.SQL("({} + {})").format(value, sql.Literal(self.offset))

    def renumber_reference(self, value: sql.Composable, is_declared: bool) -> sql.Composable:
        """A reference to a row that the source no longer had becomes NULL in the target.

        Where a constraint declares it, it becomes a number that no row has, so that the constraint finds it.
        """
        otherwise = sql.Literal(_NO_KEY) if is_declared else sql.SQL("null")
        return sql.SQL("(case when {0} between {1} and {2} then {0} + {3} when {0} is not null then {4} end)").format(
            value, sql.Literal(self.lowest), sql.Literal(self.highest), sql.Literal(self.offset), otherwise
        )


def reserve_key_blocks(upgraded: UpgradedArtifact) -> dict[str, KeyBlock]:
    """Take a block of numbers for each merged table that has a surrogate key which is a number; commits.

    Raises KeySpaceExhausted if a column's type has no room for its block, and RowsDoNotFit if nobody knows what numbers
    the target's rows.
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
    used = fetch_value(connection, sql.SQL("select coalesce(max({}), 0) from {}").format(column, target))
    if sequence is not None:
        last = sql.SQL("select last_value - (not is_called)::int from {}").format(sql.SQL(sequence))
        used = max(used, fetch_value(connection, last))
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
    if sequence is not None:
        execute(connection, "select setval(%s::regclass, %s)", (sequence, highest + offset))
    connection.commit()
    return KeyBlock(lowest, highest, offset)


def _sequence(upgraded: UpgradedArtifact, table: Table, key: str) -> str | None:
    """The sequence that numbers the rows, quoted; the column need not own it. None where nothing numbers them.

    Raises RowsDoNotFit where anything else does.
    """
    connection, schema = upgraded.connection, upgraded.target.schema
    default = table.column(key).default
    if default is None:
        name = upgraded.target.table(table.name).as_string(connection)
        owned = fetch_value(connection, "select pg_get_serial_sequence(%s, %s)", (name, key))
        return None if owned is None else str(owned)
    found = _NEXT_VALUE.match(default)
    if found:
        # The default names its sequence as seen from there.
        with search_path(connection, schema):
            sequence = fetch_value(connection, _SEQUENCE, (found.group(1).replace("''", "'"),))
        if sequence is not None:
            return str(sequence)
    connection.rollback()
    message = (
        "{0}.{1} takes its numbers in the target from {2}, where no block of them can be reserved. Nothing was "
        "merged. Have a sequence number the rows: ALTER TABLE {0} ALTER COLUMN {1} SET DEFAULT nextval('...')."
    )
    raise RowsDoNotFit(message.format(table.name, key, default))
