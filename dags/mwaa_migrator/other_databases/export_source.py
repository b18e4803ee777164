"""Export of a metadata database that is not PostgreSQL. The artifact is as one of PostgreSQL's."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import Any, Dict, List, NamedTuple

from mwaa_migrator.airflow_schema.encryption import refuse_undecryptable
from mwaa_migrator.airflow_schema.references import USER_REFERENCES, USER_TABLE
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.manifest import DAG_LIST, FORMAT_VERSION, MANIFEST, SCHEMA
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.failed_export import nothing_left_of_a_failure, require_no_artifact
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.other_databases.dag_list import read_dag_list, unfinished
from mwaa_migrator.other_databases.export_rows import ReadTables, read_tables
from mwaa_migrator.other_databases.open_source import open_source
from mwaa_migrator.other_databases.refused_rows import condition_of, find_refused_rows, require_set_aside
from mwaa_migrator.other_databases.row_cut import RowCut, read_cut
from mwaa_migrator.other_databases.source import as_text, column_of, name
from mwaa_migrator.other_databases.source_plan import SourcePlan, plan_export
from mwaa_migrator.postgres.text_checksum import TEXT_MD5
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.configuration import log_filename_template


class FoundRows(NamedTuple):
    """``cut`` has the rows that go; ``refused`` those that stay behind or are refused, ``later`` by Airflow 3 only."""

    cut: RowCut
    refused: List[RefusedRows]
    later: List[RefusedRows]


def find_rows(plan: SourcePlan, options: ExportOptions) -> FoundRows:
    """The cut that the options ask for, without the rows that break a rule."""
    cut = read_cut(plan, options)
    refused, later = find_refused_rows(cut, options)
    aside: Dict[str, str] = {}
    for rows in refused:
        before, condition = aside.get(rows.rule.table), condition_of(rows.rule, plan.source)
        aside[rows.rule.table] = f"({condition})" if before is None else f"{before} or ({condition})"
    return FoundRows(replace(cut, set_aside=aside), refused, later)


def export_source(storage: Storage, artifact_id: str, options: ExportOptions, progress: Progress) -> Artifact:
    """Write the artifact into ``storage``.

    Raises ArtifactExists, MigrationWouldFail, UndecryptableSecret, ExportFailed, and what ``open_source``,
    ``plan_export`` and ``read_cut`` raise.
    """
    require_no_artifact(storage)
    with open_source() as source:
        with progress.phase("inspect"):
            plan = plan_export(source, options)
            found = find_rows(plan, options)
            require_set_aside(found.refused, options)
        with progress.phase("export"), nothing_left_of_a_failure(storage):
            read = read_tables(found.cut, storage, progress, "export")
            require_set_aside(read.unfit, options)
            if not options.skip_undecryptable:
                refuse_undecryptable(read.undecryptable)
            manifest = _manifest(found, read, artifact_id, options, storage)
            dags = read_dag_list(plan)
    for rows in [*found.refused, *read.unfit]:
        progress.say(f"set aside: {rows.line}")
    for rows in found.later:
        progress.say(f"an upgrade to Airflow 3 would fail: {rows.line}. {rows.rule.remedy}")
    storage.write_json(DAG_LIST, dags)
    storage.write_json(MANIFEST, manifest)
    return Artifact(storage, manifest)


def _manifest(
    found: FoundRows, read: ReadTables, artifact_id: str, options: ExportOptions, storage: Storage
) -> Dict[str, Any]:
    """The manifest, once the schema that it has the hash of is written."""
    plan = found.cut.plan
    schema = json.dumps(plan.schema_description, sort_keys=True).encode("utf-8")
    storage.write_bytes(SCHEMA, schema)
    return {
        "format_version": FORMAT_VERSION,
        "artifact_id": artifact_id,
        "airflow_version": plan.source.airflow_version,
        "revision": plan.source.revision,
        "source": plan.source.database,
        "server_version": plan.source.product,
        "options": dict(options._asdict(), tables=options.tables and list(options.tables)),
        "checksum_algorithm": TEXT_MD5,
        "log_filename_template": log_filename_template(),
        "user_names": _user_names(plan),
        "not_exported": plan.not_exported,
        "columns_left_out": plan.columns_left_out,
        "indexes_left_out": [],
        "constraints_left_out": [],
        "snapshot_time": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(plan.source.snapshot_time)),
        "tables": read.entries,
        "skipped_undecryptable": read.undecryptable,
        "set_aside": [rows.as_json() for rows in [*found.refused, *read.unfit]],
        "refused_by_airflow_3": [rows.as_json() for rows in found.later],
        "unfinished": unfinished(found.cut),
        "schema_sha256": hashlib.sha256(schema).hexdigest(),
    }


def _user_names(plan: SourcePlan) -> Dict[str, str]:
    """The user names of those to whom rows refer, by what the rows call them."""
    names: Dict[str, str] = {}
    for table, column in USER_REFERENCES:
        if table not in plan.tables or column not in plan.tables[table].column_names:
            continue
        theirs = column_of("n", column)
        if USER_TABLE in plan.source.columns:
            users = f"{name(table)} n join {USER_TABLE} u on u.id = {theirs}"
            query = f"select distinct {theirs}, u.username from {users}"  # nosec B608
        else:
            query = f"select distinct {theirs}, {theirs} from {name(table)} n where {theirs} is not null"  # nosec B608
        names.update((str(as_text(key)), str(as_text(user))) for key, user in plan.source.query(query))
    return names
