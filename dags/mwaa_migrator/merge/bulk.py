"""Merging into tables that are nearly empty: without their keys and indexes, which are made again afterwards.

PostgreSQL builds an index over a million rows several times faster than it keeps one up to date a million times, and
checks a foreign key over all rows faster than row by row. All of it is part of the merge's transaction, so a crash
leaves the target as it was. It needs an exclusive lock on the tables, and their ownership. So it is done only if the
target has few rows of its own, as in a new environment; into a table in use, rows are merged one by one.
"""

from __future__ import annotations

import time
from typing import Any, List, NamedTuple, Sequence

from psycopg2 import sql
from psycopg2.errors import (
    DependentObjectsStillExist,
    FeatureNotSupported,
    InsufficientPrivilege,
    LockNotAvailable,
    WrongObjectType,
)

from mwaa_migrator.postgres.catalog import Constraint, Table
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import execute, fetch_value, search_path
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact

#: Merging fewer rows than this is faster than making the indexes again.
FEWEST_ROWS = 10000
#: The target has at most this share of the rows to merge.
TARGET_SHARE = 0.1

#: A scheduler's transactions are short. Each try waits this long, and whoever waits behind us waits no longer.
_LOCK_TRIES = 5
_LOCK_SECONDS = 3


class Dropped(NamedTuple):
    """The SQL that makes again what was dropped, to be run in this order."""

    keys: List[sql.Composable]
    indexes: List[sql.Composable]
    foreign_keys: List[sql.Composable]


def candidates(upgraded: UpgradedArtifact) -> list[str]:
    """The tables to merge in bulk: many rows to come, few there, and ours to change."""
    # Owning a table is enough to drop its indexes, but not to make them again.
    may_create = "select pg_catalog.has_schema_privilege(%s, 'create')"
    if not fetch_value(upgraded.connection, may_create, (upgraded.target.schema,)):
        return []
    chosen = []
    for name in upgraded.tables:
        if upgraded.rows.get(name, 0) < FEWEST_ROWS:
            continue
        most = int(upgraded.rows[name] * TARGET_SHARE)
        table = upgraded.target.table(name)
        query = sql.SQL("select count(*) from (select 1 from {} limit {}) few")
        there = fetch_value(upgraded.connection, query.format(table, sql.Literal(most + 1)))
        owned = fetch_value(
            upgraded.connection,
            "select pg_has_role(c.relowner, 'usage') from pg_catalog.pg_class c where c.oid = %s::regclass",
            (table.as_string(upgraded.connection),),
        )
        if there <= most and owned:
            chosen.append(name)
    return chosen


def lock(upgraded: UpgradedArtifact) -> bool:
    """Begin a transaction with exclusive locks on all merged tables.

    False, and no transaction, if they are in use or the user may not lock them.
    """
    connection = upgraded.connection
    tables = sql.SQL(", ").join([upgraded.target.table(name) for name in sorted(upgraded.tables)])
    for _ in range(_LOCK_TRIES):
        execute(connection, "select set_config('lock_timeout', %s, true)", (f"{_LOCK_SECONDS}s",))
        try:
            execute(connection, sql.SQL("lock table {} in access exclusive mode").format(tables))
        except LockNotAvailable:
            connection.rollback()
            time.sleep(1)
            continue
        except InsufficientPrivilege:
            connection.rollback()
            return False
        execute(connection, "set local lock_timeout to 0")
        return True
    return False


def drop_indexes(upgraded: UpgradedArtifact, names: Sequence[str]) -> Dropped | None:
    """As ``_drop``; None, and everything as it was, if a right is lacking or another object needs what would go."""
    connection = upgraded.connection
    if not names:
        return Dropped([], [], [])
    execute(connection, "savepoint before_dropping")
    try:
        dropped = _drop(upgraded, names)
    except (InsufficientPrivilege, DependentObjectsStillExist, FeatureNotSupported, WrongObjectType):
        # The merge knows its rows by their transaction, which a savepoint that is left open would change.
        execute(connection, "rollback to savepoint before_dropping; release savepoint before_dropping")
        return None
    execute(connection, "release savepoint before_dropping")
    return dropped


def _drop(upgraded: UpgradedArtifact, names: Sequence[str]) -> Dropped:
    """Drop the keys, indexes and foreign keys of ``names``, and the foreign keys of merged tables that lead to them.

    A table that something outside of the merge refers to keeps its keys.
    """
    connection, schema, tables = upgraded.connection, upgraded.target.schema, upgraded.tables
    dropped = Dropped([], [], [])
    for table in tables.values():
        for constraint in table.foreign_keys:
            if constraint.parent in tables and (table.name in names or constraint.parent in names):
                dropped.foreign_keys.append(_drop_constraint(connection, schema, table, constraint))
    for name in names:
        for constraint in tables[name].constraints:
            if constraint.kind in ("p", "u") and not _has_children_outside(upgraded, name):
                dropped.keys.append(_drop_constraint(connection, schema, tables[name], constraint))
        for index in tables[name].indexes:
            execute(connection, sql.SQL("drop index {}").format(qualified(schema, index.name)))
            dropped.indexes.append(sql.SQL(index.definition))
    return dropped


def _drop_constraint(connection: Any, schema: str, table: Table, constraint: Constraint) -> sql.Composed:
    """Returns the SQL that makes the constraint again."""
    target, name = qualified(schema, table.name), sql.Identifier(constraint.name)
    execute(connection, sql.SQL("alter table {} drop constraint {}").format(target, name))
    return sql.SQL("alter table {} add constraint {} {}").format(target, name, sql.SQL(constraint.definition))


def _has_children_outside(upgraded: UpgradedArtifact, name: str) -> bool:
    query = """
        select exists (select 1 from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid
                        where k.contype = 'f' and k.confrelid = %s::regclass and not (c.relname = any(%s)))
    """
    table = upgraded.target.table(name).as_string(upgraded.connection)
    return bool(fetch_value(upgraded.connection, query, (table, list(upgraded.tables))))


def make_indexes_again(upgraded: UpgradedArtifact, dropped: Dropped) -> int:
    """Make all that ``drop_indexes`` dropped, and return how many there were."""
    connection = upgraded.connection
    execute(connection, "set local maintenance_work_mem to '256MB'")
    statements = dropped.keys + dropped.indexes + dropped.foreign_keys
    # The definitions name no schema.
    with search_path(connection, upgraded.target.schema):
        for statement in statements:
            execute(connection, statement)
    return len(statements)
