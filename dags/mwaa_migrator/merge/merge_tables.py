"""The temporary tables of the merge."""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.postgres.temporary_tables import named

#: See ``rows_not_inserted``.
ROWS_NOT_INSERTED = named("rows_not_inserted")

#: ``dag_id, id`` of the latest version of each DAG in the target.
LATEST_VERSIONS = named("latest_versions")


def kept_keys(number: int) -> sql.Identifier:
    """``source_key, target_key`` of the rows of one table that took no new key."""
    return named(f"kept_keys_{number}")
