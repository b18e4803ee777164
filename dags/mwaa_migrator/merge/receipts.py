"""Receipts: which artifacts were merged into this database, written in the transaction of the merge itself.

They lie in a schema of our own, so Airflow's tables stay Airflow's. Rows such as those of ``log`` have no key by which
a second import could see that they are there already; the receipt says so. Beside it is a line for each row that the
merge did not write, because the target kept another or had no place for it (its hashes, see ``meaning.py``): verify
must find all others. ``drop schema mwaa_migrator cascade``
removes them once nobody will import or verify again.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg2 import sql

from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value

SCHEMA = "mwaa_migrator"


def find_receipt(connection: Any, migration_id: str) -> dict[str, Any] | None:
    """``{"manifest_sha256", "result"}`` of an import that was committed, or None."""
    if fetch_value(connection, "select to_regclass(%s)", (SCHEMA + ".imports",)) is None:
        return None
    rows = fetch_all(
        connection,
        "select manifest_sha256, result from mwaa_migrator.imports where migration_id = %s",
        (migration_id,),
    )
    if not rows:
        return None
    return {"manifest_sha256": rows[0][0], "result": rows[0][1]}


def prepare(connection: Any) -> None:
    """Make the tables of this module where they are missing; inside the merge's transaction."""
    execute(connection, "create schema if not exists mwaa_migrator")
    execute(
        connection,
        "create table if not exists mwaa_migrator.imports (migration_id text primary key, "
        "manifest_sha256 text not null, finished_at timestamptz not null default now(), result jsonb not null)",
    )
    execute(
        connection,
        "create table if not exists mwaa_migrator.not_written (migration_id text not null, table_name text not null, "
        "identity bigint not null, content bigint not null, kept boolean not null)",
    )


def write_receipt(connection: Any, migration_id: str, manifest_sha256: str, result: dict[str, Any]) -> None:
    """Inside the merge's transaction."""
    execute(
        connection,
        "insert into mwaa_migrator.imports (migration_id, manifest_sha256, result) values (%s, %s, %s)",
        (migration_id, manifest_sha256, json.dumps(result)),
    )


def note_not_written(connection: Any, migration_id: str, table: str, rows: sql.Composable) -> int:
    """Note ``rows``, a query for ``identity, content, kept``, and return how many; inside the merge's transaction."""
    query = sql.SQL("insert into mwaa_migrator.not_written select {}, {}, r.* from ({}) r")
    return execute(connection, query.format(sql.Literal(migration_id), sql.Literal(table), rows))


def rows_not_written(migration_id: str, table: str) -> sql.Composed:
    """A query for the ``identity, content, kept`` that ``note_not_written`` was given."""
    query = "select identity, content, kept from mwaa_migrator.not_written where migration_id = {} and table_name = {}"
    return sql.SQL(query).format(sql.Literal(migration_id), sql.Literal(table))
