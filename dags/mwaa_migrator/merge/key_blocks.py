"""Surrogate keys: which numbers the source's rows get in the target. UUIDs stay as they are.

A table whose rows are numbered by a sequence gets a block of the target's sequence, as wide as the source's numbers. So
every number moves by one offset, and a reference to it follows by one addition. The block is taken from the sequence
before the merge, under a short lock, so that the rows which the target's Airflow adds meanwhile get other numbers. A
merge that fails leaves a gap in the sequence and nothing else.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Mapping, NamedTuple, Tuple

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

    def when_in_it(self, value: sql.Composable) -> sql.Composed:
        """A branch of ``case``."""
        return sql.SQL("when {0} between {1} and {2} then {0} + {3}").format(
            value, sql.Literal(self.lowest), sql.Literal(self.highest), sql.Literal(self.offset)
        )


class KeyBlocks(NamedTuple):
    """A table's blocks, of which there is at least one. A key is in the first that has it.

    A delta has those of what it follows, so that a row that was merged before gets its number again, and then one of
    its own for what is new.
    """

    blocks: Tuple[KeyBlock, ...]

    def renumber(self, value: sql.Composable) -> sql.Composable:
        *others, last = self.blocks
        otherwise = sql.SQL("({} + {})").format(value, sql.Literal(last.offset))
        if not others:
            return otherwise
        cases = [block.when_in_it(value) for block in others]
        return sql.SQL("(case {} else {} end)").format(sql.SQL(" ").join(cases), otherwise)

    def renumber_reference(self, value: sql.Composable, is_declared: bool) -> sql.Composable:
        """A reference to a row that the source no longer had becomes NULL in the target.

        Where a constraint declares it, it becomes a number that no row has, so that the constraint finds it.
        """
        otherwise = sql.Literal(_NO_KEY) if is_declared else sql.SQL("null")
        cases = [block.when_in_it(value) for block in self.blocks]
        return sql.SQL("(case {} when {} is not null then {} end)").format(sql.SQL(" ").join(cases), value, otherwise)

    def number_in_source(self, value: sql.Composable) -> sql.Composable:
        """What a number of the target's is in the source; NULL for one that the target has given itself."""
        back = [KeyBlock(one.lowest + one.offset, one.highest + one.offset, -one.offset) for one in self.blocks]
        return sql.SQL("(case {} end)").format(sql.SQL(" ").join([block.when_in_it(value) for block in back]))


def reserve_key_blocks(
    upgraded: UpgradedArtifact, given: Mapping[str, KeyBlocks] = MappingProxyType({})
) -> dict[str, KeyBlocks]:
    """Take a block of numbers for each merged table that has a surrogate key which is a number; commits.

    ``given`` are the blocks of what a delta follows: no more are taken for their numbers.

    Raises KeySpaceExhausted if a column's type has no room for its block, and RowsDoNotFit if nobody knows what numbers
    the target's rows.
    """
    return {
        name: _reserve(upgraded, table, table.surrogate_key, given.get(name, KeyBlocks(())).blocks)
        for name, table in upgraded.tables.items()
        if table.surrogate_key is not None and not table.has_uuid_key
    }


def _reserve(upgraded: UpgradedArtifact, table: Table, key: str, given: Tuple[KeyBlock, ...]) -> KeyBlocks:
    connection = upgraded.connection
    column = sql.Identifier(key)
    extent = sql.SQL("select min({0}), max({0}) from {1}").format(column, upgraded.scratch.table(table.name))
    outside = [
        sql.SQL("{} not between {} and {}").format(column, sql.Literal(block.lowest), sql.Literal(block.highest))
        for block in given
    ]
    if outside:
        extent += sql.SQL(" where ") + sql.SQL(" and ").join(outside)
    lowest, highest = fetch_all(connection, extent)[0]
    connection.rollback()
    if lowest is None:
        return KeyBlocks(given or (KeyBlock(0, -1, 0),))
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
    return KeyBlocks((*given, KeyBlock(lowest, highest, offset)))


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
