"""The temporary tables of the merge."""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.postgres.temporary_tables import named

#: See ``rows_not_inserted``.
ROWS_NOT_INSERTED = named("rows_not_inserted")

#: ``dag_id, id`` of the latest version of each DAG in the target.
LATEST_VERSIONS = named("latest_versions")

#: Of a delta's merge: ``dag_id, run_id`` of the runs that have changed.
CHANGED_RUNS = named("changed_runs")


def kept_keys(number: int) -> sql.Identifier:
    """``source_key, target_key`` of the rows of one table that took no new key."""
    return named(f"kept_keys_{number}")


def keys_of_base(number: int) -> sql.Identifier:
    """Of a delta's merge: ``source_key, target_key`` of one table's rows that were met by an import before."""
    return named(f"keys_of_base_{number}")
