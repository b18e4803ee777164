"""Temporary tables, which end with their transaction. Merge and verify name theirs in modules of their own."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import execute


def named(name: str) -> sql.Identifier:
    """What we call a temporary table, with its schema, so that no table on the search_path is taken for it."""
    return qualified("pg_temp", "mwaa_migrator_" + name)


def create(connection: Any, table: sql.Identifier, columns: sql.Composable) -> None:
    """Make a table with these columns, empty, in place of the one that an earlier call made."""
    _drop(connection, table)
    execute(connection, sql.SQL("create temporary table {} ({}) on commit drop").format(table, columns))


def create_from(connection: Any, table: sql.Identifier, query: sql.Composable) -> None:
    """Make a table of a query's rows, in place of the one that an earlier call made."""
    _drop(connection, table)
    execute(connection, sql.SQL("create temporary table {} on commit drop as {}").format(table, query))


def analyze(connection: Any, table: sql.Identifier) -> None:
    """Let the planner know how many rows the table has: autovacuum does not see temporary tables."""
    execute(connection, sql.SQL("analyze {}").format(table))


def _drop(connection: Any, table: sql.Identifier) -> None:
    execute(connection, sql.SQL("drop table if exists {}").format(table))
