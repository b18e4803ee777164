"""Our temporary tables. They are named, made and dropped here, and end with their transaction."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import execute


def _temporary(name: str) -> sql.Identifier:
    # With its schema, so that no table on the search_path is taken for it.
    return qualified("pg_temp", "mwaa_migrator_" + name)


#: Of the merge: see merge/rows_not_inserted.py.
ROWS_NOT_INSERTED = _temporary("rows_not_inserted")

#: Of the merge: ``dag_id, id`` of the latest version of each DAG in the target.
LATEST_VERSIONS = _temporary("latest_versions")

#: Of a delta's merge, and of its verify: ``dag_id, run_id`` of the runs that have changed.
CHANGED_RUNS = _temporary("changed_runs")

#: Of verify: ``row, identity, content`` of each row, as comparable_rows.py selects them.
SOURCE_ROWS = _temporary("source_rows")
TARGET_ROWS = _temporary("target_rows")
#: Of verify: ``identity, content, kept`` of each row that the merge did not write.
ROWS_NOT_WRITTEN = _temporary("rows_not_written")


def kept_keys(number: int) -> sql.Identifier:
    """Of the merge: ``source_key, target_key`` of the rows of one table that took no new key."""
    return _temporary(f"kept_keys_{number}")


def keys_of_base(number: int) -> sql.Identifier:
    """Of a delta's merge: ``source_key, target_key`` of one table's rows that were met by an import before."""
    return _temporary(f"keys_of_base_{number}")


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
