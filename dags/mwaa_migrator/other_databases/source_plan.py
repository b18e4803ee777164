"""What an export takes from a database that is not PostgreSQL: tables as PostgreSQL would have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from mwaa_migrator.airflow_schema.tables import (
    LEFT_OUT_AS_ASKED,
    SET_ASIDE_PREFIX,
    is_of_flask_appbuilder,
    reason_not_exported,
)
from mwaa_migrator.artifact.schema_description import describe
from mwaa_migrator.errors import AirflowTablesMissing, RevisionUnclear
from mwaa_migrator.export.export_options import ExportOptions, require_possible_choice
from mwaa_migrator.other_databases.postgres_schema import tables_at
from mwaa_migrator.other_databases.source import Source
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.this_airflow.migrations import known_revisions
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple


@dataclass(frozen=True)
class SourcePlan:
    """Described as an ``export.plan.ExportPlan`` is, whose names these are."""

    source: Source
    tables: Dict[str, Table]
    described: Dict[str, Table]
    schema_description: Dict[str, Any]
    not_exported: Dict[str, str]
    columns_left_out: List[str]


def plan_export(source: Source, options: ExportOptions) -> SourcePlan:
    """Raises RevisionUnclear, DatabaseNotSupported for a revision of which nothing is known, AirflowTablesMissing, and
    InvalidArguments for a choice that cannot be."""
    if source.revision not in known_revisions():
        raise RevisionUnclear(
            f"The metadata database has the revision {source.revision}, which Airflow {source.airflow_version} does "
            "not know: a newer Airflow has migrated it. Export with that Airflow."
        )
    at_3 = version_tuple(source.airflow_version) >= AIRFLOW_3
    described = {
        name: table for name, table in tables_at(source.revision).items() if not (at_3 and is_of_flask_appbuilder(name))
    }
    not_exported = {}
    for name, columns in source.columns.items():
        reason = reason_not_exported(name, described[name].column_names if name in described else columns)
        if reason is None and name not in described:
            reason = "not a table of this Airflow"
        if reason is not None:
            not_exported[name] = reason
    require_possible_choice(options, source.columns, not_exported)
    chosen = {
        name: table
        for name, table in sorted(described.items())
        if name not in not_exported and reason_not_exported(name, table.column_names) is None
    }
    _require_columns(source, chosen)
    for name in list(chosen):
        if name in options.exclude_tables or (options.tables is not None and name not in options.tables):
            not_exported[name] = LEFT_OUT_AS_ASKED
            del chosen[name]
    left_out = [
        f"{name}.{column}"
        for name, table in chosen.items()
        for column in source.columns[name]
        if column not in table.column_names
    ]
    return SourcePlan(source, chosen, described, describe(described), not_exported, sorted(left_out))


def _require_columns(source: Source, tables: Dict[str, Table]) -> None:
    missing = [name for name in tables if name not in source.columns and not name.startswith(SET_ASIDE_PREFIX)]
    missing += [
        f"{name}.{column}"
        for name, table in tables.items()
        if name in source.columns
        for column in table.column_names
        if column not in source.columns[name]
    ]
    if missing:
        raise AirflowTablesMissing(
            "The metadata database is at revision {} and lacks what Airflow has there: {}. An upgrade broke off, or "
            "somebody dropped it. Bring the database to its revision's state, and export again.".format(
                source.revision, ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            )
        )
