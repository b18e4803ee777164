"""What an export takes: its options, the tables with their rows, and why the others stay behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Set, Tuple

from mwaa_migrator.airflow_schema.column_limits import UNIQUE
from mwaa_migrator.airflow_schema.tables import (
    LEFT_OUT_AS_ASKED,
    REVISION_TABLE,
    SET_ASIDE_PREFIX,
    is_of_flask_appbuilder,
    reason_not_exported,
)
from mwaa_migrator.artifact.schema_description import describe
from mwaa_migrator.errors import RevisionUnclear
from mwaa_migrator.export.export_options import ExportOptions, require_possible_choice
from mwaa_migrator.postgres.catalog import OwnedSequence, Table
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.this_airflow.database import MetadataDatabase
from mwaa_migrator.this_airflow.migrations import (
    columns_in_migrations,
    index_names,
    known_revisions,
    unknown_tables,
)
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple


@dataclass(frozen=True)
class ExportPlan:
    """
    ``tables`` are those whose rows go into the artifact, ``described`` those that the import makes again: Airflow's
    migrations expect all of Airflow's tables, with or without rows. ``not_exported`` has the reasons, by table.
    ``columns_left_out`` are columns that Airflow's users have added. ``indexes_left_out`` are indexes of theirs, whose
    names a later migration may want, ``constraints_left_out`` are checks, and references to other applications' tables.
    """

    source: MetadataDatabase
    tables: Dict[str, Table]
    described: Dict[str, Table]
    schema_description: Dict[str, Any]
    not_exported: Dict[str, str]
    columns_left_out: List[str]
    indexes_left_out: List[str]
    constraints_left_out: List[str]


def plan_export(source: MetadataDatabase, options: ExportOptions) -> ExportPlan:
    """What the connection's transaction sees.

    Raises RevisionUnclear, InvalidArguments for a choice that cannot be, and ColumnTypeUnknown.
    """
    _require_known_revision(source)
    tables = read_tables(source.connection, source.schema)
    reasons = {name: reason_not_exported(name, table.column_names) for name, table in tables.items()}
    unknown = unknown_tables(name for name in tables if reasons[name] is None)
    not_exported: Dict[str, str] = {}
    for name, reason in reasons.items():
        if reason is None and name in unknown:
            reason = "not a table of this Airflow"
        if reason is not None:
            not_exported[name] = reason
    require_possible_choice(options, tables, not_exported)
    # From Airflow 3 on Flask-AppBuilder migrates its own tables, and makes them where they are missing.
    at_3 = version_tuple(source.airflow_version) >= AIRFLOW_3
    described = {
        name: table
        for name, table in tables.items()
        if name not in unknown
        and not (at_3 and is_of_flask_appbuilder(name))
        and not name.startswith(SET_ASIDE_PREFIX)
        and not (name in options.exclude_tables and name in not_exported)
    }
    described, columns_left_out = _without_handmade_columns(source, described)
    described = {name: _with_numbers_of_its_own(table) for name, table in described.items()}
    described, indexes_left_out = _without_handmade_indexes(described)
    described, constraints_left_out = _without_handmade_constraints(described)
    for name in tables:
        chosen = options.tables is None or name in options.tables
        if name not in not_exported and (name in options.exclude_tables or not chosen):
            not_exported[name] = LEFT_OUT_AS_ASKED
    exported = {name: described[name] for name in sorted(tables) if name not in not_exported}
    return ExportPlan(
        source,
        exported,
        described,
        describe(described),
        not_exported,
        columns_left_out,
        indexes_left_out,
        constraints_left_out,
    )


def _require_known_revision(source: MetadataDatabase) -> None:
    """Raises RevisionUnclear unless this Airflow's migrations lead to the database's revision."""
    if source.revision not in known_revisions():
        raise RevisionUnclear(
            f"{source.schema}.{REVISION_TABLE} has the revision {source.revision}, which Airflow "
            f"{source.airflow_version} does not know: a newer Airflow has migrated this database, or another product. "
            "Export with that Airflow, or bring the database back to this one's revision (airflow db downgrade)."
        )


def _without_handmade_columns(source: MetadataDatabase, tables: Dict[str, Table]) -> Tuple[Dict[str, Table], List[str]]:
    """The tables without the columns that no migration gives them or that are generated, and those columns.

    A column of the primary key stays.

    Airflow 3's migrations begin with tables that they do not spell out, so all of its columns stay.
    """
    if version_tuple(source.airflow_version) >= AIRFLOW_3:
        return tables, []
    kept: Dict[str, Table] = {}
    left_out: List[str] = []
    for name, table in tables.items():
        handmade = [
            column.name
            for column in table.columns
            if (column.name not in columns_in_migrations(name) or column.generated)
            and column.name not in table.primary_key
            and reason_not_exported(name, table.column_names) is None
        ]
        left_out += [f"{name}.{column}" for column in handmade]
        kept[name] = table.without(handmade)
    return kept, sorted(left_out)


def _without_handmade_indexes(tables: Dict[str, Table]) -> Tuple[Dict[str, Table], List[str]]:
    """The tables with Airflow's own indexes only, and the others' names; an index carries no history."""
    named = index_names()
    kept: Dict[str, Table] = {}
    left_out: List[str] = []
    for name, table in tables.items():
        own = [index for index in table.indexes if index.name in named]
        left_out += [index.name for index in table.indexes if index not in own]
        kept[name] = table._replace(indexes=own)
    return kept, sorted(left_out)


def _without_handmade_constraints(tables: Dict[str, Table]) -> Tuple[Dict[str, Table], List[str]]:
    """The tables without unique constraints and checks that no migration names, and without references elsewhere.

    Airflow's unique keys stay, because foreign keys need them; under another name than Airflow's they get one that no
    migration gives.
    """
    named = index_names()
    kept: Dict[str, Table] = {}
    left_out: List[str] = []
    for name, table in tables.items():
        renamed = [
            one
            for one in table.constraints
            if one.kind == "u" and one.name not in named | _usual_names(name, one.columns)
        ]
        handmade = [
            constraint
            for constraint in table.constraints
            if (constraint.kind == "f" and constraint.parent not in tables)
            or (constraint.kind in ("c", "x") and not {constraint.name, _without_prefix(name, constraint.name)} & named)
            or (constraint in renamed and constraint.columns not in UNIQUE.get(name, ()))
        ]
        left_out += [constraint.name for constraint in handmade]
        kept[name] = table._replace(
            constraints=[
                constraint._replace(name=f"mwaa_migrator_{constraint.name}") if constraint in renamed else constraint
                for constraint in table.constraints
                if constraint not in handmade
            ]
        )
    for name, table in kept.items():
        # A foreign key needs the unique key that it leads to; that may have been an index of somebody's.
        nowhere = [key for key in table.foreign_keys if not _is_unique(kept[str(key.parent)], key.parent_columns)]
        left_out += [key.name for key in nowhere]
        kept[name] = table._replace(constraints=[one for one in table.constraints if one not in nowhere])
    return kept, sorted(left_out)


def _is_unique(table: Table, columns: Sequence[str]) -> bool:
    return sorted(columns) in [sorted(key) for key in table.unique_keys]


def _without_prefix(table: str, constraint: str) -> str:
    """The name that a migration gives a check, before SQLAlchemy's naming convention."""
    prefix = f"ck_{table}_"
    return constraint[len(prefix) :] if constraint.startswith(prefix) else constraint


def _usual_names(table: str, columns: Sequence[str]) -> Set[str]:
    """What PostgreSQL, and Airflow's naming convention, call a unique constraint without a name."""
    return {"_".join([table, *columns, suffix]) for suffix in ("key", "uq")}


def _with_numbers_of_its_own(table: Table) -> Table:
    """The table without defaults that need more than the table, and with a sequence for its number if it has none.

    Migrations add rows, to ``slot_pool`` for example.
    """
    columns = [
        column._replace(default=None, default_needs_others=False) if column.default_needs_others else column
        for column in table.columns
    ]
    sequences = list(table.sequences)
    key = table.surrogate_key
    numbered = {*(sequence.column for sequence in sequences), *(one.name for one in columns if one.identity)}
    if key is not None and key not in numbered and not table.has_uuid_key:
        sequence = OwnedSequence(f"mwaa_migrator_{table.name}_numbers", key, table.column(key).type)
        sequences.append(sequence)
        columns = [
            column._replace(default=f"nextval('{sequence.name}'::regclass)") if column.name == key else column
            for column in columns
        ]
    return table._replace(columns=columns, sequences=sequences)
