"""Merging into tables that are nearly empty: without their keys and indexes, which are made again afterwards.

PostgreSQL builds an index over a million rows several times faster than it keeps one up to date a million times, and
checks a foreign key over all rows faster than one by one. All of it happens inside the merge's transaction: a crash
leaves the target as it was. It needs an exclusive lock on the tables, so it is only done where the target has few rows
of its own, as a new environment has, and where we own the tables; in a table in use rows are merged one by one.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Sequence

from psycopg2 import sql
from psycopg2.errors import LockNotAvailable

from mwaa_migrator.postgres.catalog import Constraint, Table, qualified
from mwaa_migrator.postgres.session import execute, fetch_value

#: Fewer rows than this are merged sooner than the indexes are made again.
FEWEST_ROWS = 10000
#: The target's rows are at most this share of the rows to merge.
TARGET_SHARE = 0.1

#: A scheduler's transactions are short. Each try waits this long, and waiters behind us wait no longer than that.
_LOCK_TRIES = 5
_LOCK_SECONDS = 3


class Removed(NamedTuple):
    """SQL to make again what was dropped, in this order."""

    keys: list[sql.Composable]
    indexes: list[sql.Composable]
    foreign_keys: list[sql.Composable]


def candidates(connection: Any, schema: str, tables: dict[str, Table], incoming: dict[str, int]) -> list[str]:
    """The tables that would be merged in bulk: many rows to come, few there, and ours to change."""
    chosen = []
    for name in tables:
        if incoming.get(name, 0) < FEWEST_ROWS:
            continue
        most = int(incoming[name] * TARGET_SHARE)
        query = sql.SQL("select count(*) from (select 1 from {} limit {}) few")
        there = fetch_value(connection, query.format(qualified(schema, name), sql.Literal(most + 1)))
        owned = fetch_value(
            connection,
            "select pg_has_role(c.relowner, 'usage') from pg_catalog.pg_class c where c.oid = %s::regclass",
            (qualified(schema, name).as_string(connection),),
        )
        if there <= most and owned:
            chosen.append(name)
    return chosen


def lock(connection: Any, schema: str, names: list[str]) -> bool:
    """Begin the transaction with exclusive locks on the tables; False (and no transaction) if they are in use."""
    if not names:
        return False
    tables = sql.SQL(", ").join([qualified(schema, name) for name in sorted(names)])
    for _ in range(_LOCK_TRIES):
        execute(connection, "select set_config('lock_timeout', %s, true)", (f"{_LOCK_SECONDS}s",))
        try:
            execute(connection, sql.SQL("lock table {} in access exclusive mode").format(tables))
        except LockNotAvailable:
            connection.rollback()
            time.sleep(1)
            continue
        execute(connection, "set local lock_timeout to 0")
        return True
    return False


def remove(connection: Any, schema: str, tables: dict[str, Table], names: Sequence[str]) -> Removed:
    """Drop the keys, indexes and foreign keys of ``names``, and the foreign keys of merged tables that lead to them.

    A table that something outside of the merge refers to keeps its keys.
    """
    removed = Removed([], [], [])
    for table in tables.values():
        for constraint in table.foreign_keys:
            if constraint.parent in tables and (table.name in names or constraint.parent in names):
                removed.foreign_keys.append(_drop_constraint(connection, schema, table, constraint))
    for name in names:
        for constraint in tables[name].constraints:
            if constraint.kind in ("p", "u") and not _is_referred_to(connection, schema, tables, name):
                removed.keys.append(_drop_constraint(connection, schema, tables[name], constraint))
        for index in tables[name].indexes:
            execute(connection, sql.SQL("drop index {}").format(qualified(schema, index.name)))
            removed.indexes.append(sql.SQL(index.definition))
    return removed


def _drop_constraint(connection: Any, schema: str, table: Table, constraint: Constraint) -> sql.Composed:
    """Returns the SQL that makes the constraint again."""
    target, name = qualified(schema, table.name), sql.Identifier(constraint.name)
    execute(connection, sql.SQL("alter table {} drop constraint {}").format(target, name))
    return sql.SQL("alter table {} add constraint {} {}").format(target, name, sql.SQL(constraint.definition))


def _is_referred_to(connection: Any, schema: str, tables: dict[str, Table], name: str) -> bool:
    query = """
        select exists (select 1 from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid
                        where k.contype = 'f' and k.confrelid = %s::regclass and not (c.relname = any(%s)))
    """
    return bool(fetch_value(connection, query, (qualified(schema, name).as_string(connection), list(tables))))


def make_again(connection: Any, removed: Removed) -> int:
    """Returns how many there were. The search_path must be the tables' schema, which the definitions do not name."""
    execute(connection, "set local maintenance_work_mem to '256MB'")
    statements = removed.keys + removed.indexes + removed.foreign_keys
    for statement in statements:
        execute(connection, statement)
    return len(statements)
