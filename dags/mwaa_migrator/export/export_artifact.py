"""Export: the rows of the metadata database, as of one instant, into an artifact.

One transaction sees the database at that instant and lends its snapshot to the copying processes
(``pg_export_snapshot``). Nothing is locked, and nothing is written. The manifest comes last.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from typing import Any, Dict, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, refuse_undecryptable
from mwaa_migrator.airflow_schema.migration_rules import MigrationRule
from mwaa_migrator.airflow_schema.primary_keys import require_primary_keys
from mwaa_migrator.airflow_schema.references import USER_REFERENCES, USER_TABLE
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.manifest import DAG_LIST, FORMAT_VERSION, MANIFEST, SCHEMA
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.copying.workers import Job, Session, run_jobs
from mwaa_migrator.errors import ExportFailed
from mwaa_migrator.export.column_rules import require_key_space
from mwaa_migrator.export.dag_list import read_dag_list
from mwaa_migrator.export.export_encrypted import export_encrypted
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.failed_export import nothing_left_of_a_failure, require_no_artifact
from mwaa_migrator.export.history_cut import HistoryCut, read_cut
from mwaa_migrator.export.plan import ExportPlan, plan_export
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.export.refused_rows import (
    by_table,
    counts_query,
    find_refused_rows,
    name_refused_rows,
    rules_to_come,
    split_for_delta,
    to_set_aside,
    without_refused_rows,
)
from mwaa_migrator.export.summing import Summed, Summing
from mwaa_migrator.export.table_copies import checksum_job, copy_jobs
from mwaa_migrator.export.unfinished import unfinished
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, keep_alive
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.configuration import fernet, log_filename_template
from mwaa_migrator.this_airflow.database import metadata_database


def export(
    storage: Storage,
    artifact_id: str,
    options: ExportOptions,
    progress: Progress,
    summing: Summing | None = None,
) -> Artifact:
    """Write the artifact into ``storage``, a base or a delta where ``summing`` is given.

    Raises ArtifactExists, what ``plan_export`` and ``read_cut`` raise, PrimaryKeyMissing, UndecryptableSecret,
    ExportFailed, NewBaseNeeded, and what connecting and storing raise.
    """
    with metadata_database() as source:
        require_no_artifact(storage)
        with progress.phase("inspect"):
            plan = plan_export(source, options)
            require_primary_keys(source.schema, plan.tables.values())
            source.connection.rollback()
        with progress.phase("export"), nothing_left_of_a_failure(storage):
            manifest = _write(plan, storage, artifact_id, options, progress, summing)
    return Artifact(storage, manifest)


def _write(
    plan: ExportPlan,
    storage: Storage,
    artifact_id: str,
    options: ExportOptions,
    progress: Progress,
    summing: Summing | None,
) -> dict[str, Any]:
    """Write the whole artifact and return its manifest."""
    source = plan.source
    connection = source.connection
    execute(connection, "begin isolation level repeatable read read only")
    snapshot, snapshot_time = fetch_all(connection, "select pg_export_snapshot(), now()")[0]
    rules = rules_to_come(plan, options)
    cut = read_cut(plan, options)
    if summing is not None:
        cut = summing.begin(cut)
    of_all, of_changed = rules.on_the_way, []
    if summing is not None and summing.follows is not None:
        of_all, of_changed = split_for_delta(rules.on_the_way, options.set_aside)
    cut, set_aside = without_refused_rows(cut, of_all, options)
    require_key_space(cut)
    entries: dict[str, dict[str, Any]] = {
        name: {"columns": list(table.column_names), "rows": 0, "bytes": 0, "parts": []}
        for name, table in plan.tables.items()
    }
    session = Session(source.place.connection_parameters(), snapshot=snapshot)
    summed = Summed(cut)
    if summing is not None:
        summed = summing.sum_units(cut, storage, session, options.processes, progress)
        cut = summed.cut
        to_set_aside(find_refused_rows(source, of_changed, cut), options.set_aside)
    skipped = _export_encrypted(cut, entries, storage, options)
    refused_later = _copy(summed, rules.later, entries, storage, session, options.processes, progress)
    for name, entry in entries.items():
        _check_rows(name, entry)
    schema = json.dumps(plan.schema_description, sort_keys=True).encode("utf-8")
    storage.write_bytes(SCHEMA, schema)
    manifest: dict[str, Any] = {
        **_origin(plan, artifact_id, options),
        "snapshot_time": snapshot_time.isoformat(),
        "tables": entries,
        "skipped_undecryptable": skipped,
        "set_aside": [rows.as_json() for rows in set_aside],
        "refused_by_airflow_3": [rows.as_json() for rows in refused_later],
        "unfinished": unfinished(cut),
        "schema_sha256": hashlib.sha256(schema).hexdigest(),
        **summed.entries,
    }
    dags = read_dag_list(plan)
    connection.rollback()
    for rows in set_aside:
        progress.say(f"set aside: {rows.line}")
    for rows in refused_later:
        progress.say(f"an upgrade to Airflow 3 would fail: {rows.line}. {rows.rule.remedy}")
    storage.write_json(DAG_LIST, dags)
    storage.write_json(MANIFEST, manifest)
    return manifest


def _origin(plan: ExportPlan, artifact_id: str, options: ExportOptions) -> dict[str, Any]:
    """The manifest's account of what was exported, from where, and what the plan leaves out."""
    source = plan.source
    return {
        "format_version": FORMAT_VERSION,
        "artifact_id": artifact_id,
        "airflow_version": source.airflow_version,
        "revision": source.revision,
        "source": fetch_value(source.connection, "select current_database()"),
        "server_version": source.connection.server_version,
        "options": dict(options._asdict(), tables=options.tables and list(options.tables)),
        "checksum_algorithm": source.checksum_algorithm,
        "log_filename_template": log_filename_template(),
        "user_names": _user_names(plan),
        "not_exported": plan.not_exported,
        "columns_left_out": plan.columns_left_out,
        "indexes_left_out": plan.indexes_left_out,
        "constraints_left_out": plan.constraints_left_out,
    }


def _export_encrypted(
    cut: HistoryCut, entries: Dict[str, Dict[str, Any]], storage: Storage, options: ExportOptions
) -> list[str]:
    """Write the tables that hold secrets; returns the names of the rows that no key decrypts and that were left out."""
    skipped: list[str] = []
    key = fernet()
    for name in sorted(set(entries) & set(ENCRYPTED_COLUMNS)):
        table = cut.plan.tables[name]
        decrypted = export_encrypted(cut.plan.source, table, cut.condition(table), storage, key)
        _add_parts(entries[name], decrypted.parts, sum(part["rows"] for part in decrypted.parts))
        entries[name]["skipped"] = len(decrypted.failures)
        skipped += decrypted.failures
    if not options.skip_undecryptable:
        refuse_undecryptable(skipped)
    return skipped


def _copy(
    summed: Summed,
    rules: Sequence[MigrationRule],
    entries: Dict[str, Dict[str, Any]],
    storage: Storage,
    session: Session,
    processes: int,
    progress: Progress,
) -> list[RefusedRows]:
    """Write all other tables, compute the checksums that are not known, and return what ``rules`` say of the rows."""
    cut = summed.cut
    source = cut.plan.source
    jobs: list[Job] = []
    for name, table in cut.plan.tables.items():
        jobs += copy_jobs(source, table, cut.condition(table))
        if name in summed.checksums:
            entries[name]["checksum_rows"], entries[name]["checksum"] = summed.checksums[name]
        else:
            jobs.append(checksum_job(source, table, cut.condition(table)))
    of_table = by_table(rules, cut.plan.tables)
    for name in of_table:
        query = counts_query(source, of_table[name], cut.condition(cut.plan.tables[name]))
        jobs.append(Job(name, 0, {"kind": "counts", "query": query.as_string(source.connection)}))
    refused: list[RefusedRows] = []
    begun = time.monotonic()
    waiting = {name: sum(1 for job in jobs if job.label == name) for name in entries}
    # The session's transaction lends its snapshot, and has queries to answer when the copying has ended.
    stay_alive = partial(keep_alive, source.connection)
    for job, result in run_jobs(jobs, processes, storage.url, session, while_waiting=stay_alive):
        entry = entries[job.label]
        if job.request["kind"] == "checksum":
            entry["checksum"] = result["value"]
            entry["checksum_rows"] = result["rows"]
        elif job.request["kind"] == "counts":
            table = cut.plan.tables[job.label]
            refused += name_refused_rows(source, table, of_table[job.label], result["counts"], cut.condition(table))
        else:
            _add_parts(entry, result["parts"], result["rows"])
        waiting[job.label] -= 1
        if not waiting[job.label]:
            progress.table("export", job.label, entry["rows"], time.monotonic() - begun, entry["bytes"])
    return refused


def _add_parts(entry: Dict[str, Any], parts: list[Dict[str, Any]], rows: int) -> None:
    entry["parts"] += parts
    entry["rows"] += rows
    entry["bytes"] += sum(part["bytes"] for part in parts)


def _check_rows(name: str, entry: Dict[str, Any]) -> None:
    """Raises ExportFailed unless three counts agree: the server's, the parts' and the checksum's."""
    skipped = entry.pop("skipped", 0)
    in_parts = sum(part["rows"] for part in entry["parts"])
    seen = entry.pop("checksum_rows") - skipped
    if not in_parts == entry["rows"] == seen:
        message = "{}: the server sent {} rows, the parts hold {}, and the snapshot has {}. Export again."
        raise ExportFailed(message.format(name, entry["rows"], in_parts, seen))
    if skipped:
        # The checksum counts rows that are not in the artifact.
        entry["checksum"] = None


def _user_names(plan: ExportPlan) -> dict[str, str]:
    """The user names of those to whom rows refer, by what the rows call them."""
    names: dict[str, str] = {}
    for name, column in USER_REFERENCES:
        if name not in plan.tables or column not in plan.tables[name].column_names:
            continue
        # Airflow 3 keeps a user's number as text.
        if USER_TABLE in plan.not_exported:
            query = sql.SQL("select distinct u.id::text, u.username from {} n join {} u on u.id::text = n.{}::text")
        else:
            query = sql.SQL("select distinct n.{2}::text, n.{2}::text from {0} n where n.{2} is not null")
        users = plan.source.table(name), plan.source.table(USER_TABLE), sql.Identifier(column)
        names.update(dict(fetch_all(plan.source.connection, query.format(*users))))
    return names
