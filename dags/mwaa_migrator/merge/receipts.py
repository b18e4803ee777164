"""Receipts: which artifacts were merged into this database, written in the transaction of the merge itself.

They are in a schema of our own, so Airflow's tables stay Airflow's. Rows such as those of ``log`` have no key by which
a second import could see that they are there already; the receipt says so. Beside it is a line for each row that the
merge did not write, because the target kept its own or had no place for it (its hashes, see
``comparison/comparable_rows.py``); verify must find all others. ``drop schema mwaa_migrator cascade`` removes them once
nobody will import or verify again.

A run that unpauses the target's DAGs leaves a receipt as well, in the same transaction.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg2 import sql

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value


def find_receipt(connection: Any, artifact_id: str) -> dict[str, Any] | None:
    """``{"manifest_sha256", "result"}`` of an import that was committed; None if there was none."""
    if fetch_value(connection, "select to_regclass('mwaa_migrator.imports')") is None:
        return None
    query = "select manifest_sha256, result from mwaa_migrator.imports where artifact_id = %s"
    rows = fetch_all(connection, query, (artifact_id,))
    if not rows:
        return None
    return {"manifest_sha256": rows[0][0], "result": rows[0][1]}


def create_receipt_tables(connection: Any) -> None:
    """Make this module's tables if they are missing."""
    execute(connection, "create schema if not exists mwaa_migrator")
    execute(
        connection,
        "create table if not exists mwaa_migrator.imports (artifact_id text primary key, "
        "manifest_sha256 text not null, finished_at timestamptz not null default now(), result jsonb not null)",
    )
    execute(
        connection,
        "create table if not exists mwaa_migrator.not_written (artifact_id text not null, table_name text not null, "
        "identity bigint not null, content bigint not null, kept boolean not null)",
    )


def write_receipt(connection: Any, artifact: Artifact, result: dict[str, Any]) -> None:
    execute(
        connection,
        "insert into mwaa_migrator.imports (artifact_id, manifest_sha256, result) values (%s, %s, %s)",
        (artifact.id, artifact.manifest["sha256"], json.dumps(result)),
    )


def find_cut_over(connection: Any, run_id: str) -> dict[str, Any] | None:
    """The result of a run that has unpaused the target's DAGs and committed that; None if none has."""
    if fetch_value(connection, "select to_regclass('mwaa_migrator.cut_overs')") is None:
        return None
    result = fetch_value(connection, "select result from mwaa_migrator.cut_overs where run_id = %s", (run_id,))
    return None if result is None else dict(result)


def note_cut_over(connection: Any, run_id: str, result: dict[str, Any]) -> None:
    """Write what ``find_cut_over`` finds."""
    # A user who may make no schema may use the one that the import has made.
    if fetch_value(connection, "select to_regnamespace('mwaa_migrator')") is None:
        execute(connection, "create schema mwaa_migrator")
    execute(
        connection,
        "create table if not exists mwaa_migrator.cut_overs (run_id text primary key, "
        "finished_at timestamptz not null default now(), result jsonb not null)",
    )
    statement = "insert into mwaa_migrator.cut_overs (run_id, result) values (%s, %s)"
    execute(connection, statement, (run_id, json.dumps(result)))


def note_hop(connection: Any, airflow_version: str, pickled_xcoms: str) -> None:
    """Add to each receipt that the target's rows were mended for a hop to this version (``mend_rows``)."""
    if fetch_value(connection, "select to_regclass('mwaa_migrator.imports')") is not None:
        note = json.dumps({"mended_for_hop": airflow_version, "pickled_xcoms": pickled_xcoms})
        execute(connection, "update mwaa_migrator.imports set result = result || %s::jsonb", (note,))


def note_not_written(connection: Any, artifact_id: str, table: str, rows: sql.Composable) -> int:
    """Note ``rows``, a query for ``identity, content, kept``, and return how many there were."""
    query = sql.SQL("insert into mwaa_migrator.not_written select {}, {}, r.* from ({}) r")
    return execute(connection, query.format(sql.Literal(artifact_id), sql.Literal(table), rows))


def rows_not_written(artifact_id: str, table: str) -> sql.Composed:
    """A query for the ``identity, content, kept`` that ``note_not_written`` was given."""
    query = "select identity, content, kept from mwaa_migrator.not_written where artifact_id = {} and table_name = {}"
    return sql.SQL(query).format(sql.Literal(artifact_id), sql.Literal(table))
