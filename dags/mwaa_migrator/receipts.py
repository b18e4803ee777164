"""Receipts: which artifacts were merged into this database, written in the transaction of the merge itself.

They lie in a schema of our own, so Airflow's tables stay Airflow's. Rows such as those of ``log`` have no key by which
a second import could see that they are there already; the receipt says so. ``drop schema mwaa_migrator cascade``
removes them once nobody will import or verify again.
"""

from __future__ import annotations

import json
from typing import Any

from mwaa_migrator.database import execute, fetch_all, fetch_value

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


def write_receipt(connection: Any, migration_id: str, manifest_sha256: str, result: dict[str, Any]) -> None:
    """Inside the merge's transaction."""
    execute(connection, "create schema if not exists mwaa_migrator")
    execute(
        connection,
        "create table if not exists mwaa_migrator.imports (migration_id text primary key, "
        "manifest_sha256 text not null, finished_at timestamptz not null default now(), result jsonb not null)",
    )
    execute(
        connection,
        "insert into mwaa_migrator.imports (migration_id, manifest_sha256, result) values (%s, %s, %s)",
        (migration_id, manifest_sha256, json.dumps(result)),
    )
