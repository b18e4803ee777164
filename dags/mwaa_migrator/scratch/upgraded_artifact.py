"""An artifact's rows in the scratch schema, at the target's revision: what the merge and verify work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Container, Dict, Mapping, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import TIMES_OF_MIGRATIONS
from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE
from mwaa_migrator.airflow_schema.tables import (
    ARCHIVES,
    DAG_TABLE,
    SET_ASIDE_PREFIX,
    reason_not_exported,
    set_aside_source,
)
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.errors import (
    RowsUnaccounted,
    UpgradeFailed,
)
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import NUMBERS, Column, Table
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.postgres.session import fetch_value
from mwaa_migrator.scratch.orphans import ORPHANS_PREFIX
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.scratch.unreadable_triggers import UNREADABLE_PREFIX
from mwaa_migrator.scratch.upgrade import Upgraded
from mwaa_migrator.this_airflow.database import MetadataDatabase
from mwaa_migrator.this_airflow.migrations import (
    columns_in_migrations,
)

#: When a scheduler last looked at a run.
_LAST_LOOKED_AT = ("dag_run", "last_scheduling_decision")


@dataclass(frozen=True)
class UpgradedArtifact:
    """
    Tables have the names that they have after the upgrade, to which ``names`` leads from those in the artifact.
    ``target_tables`` are all of the target's, ``scratch_tables`` all of the scratch schema's, and ``tables``, as the
    target has them, those that the merge writes: in the artifact, in the scratch schema and in the target.
    ``exported`` counts the rows of each table in the artifact, ``rows`` those of each table after the upgrade;
    ``set_aside`` counts, by reason, the rows that were set aside before the merge, by the table that they came from.
    ``without_parent`` has a line for each foreign key that rows broke, and for each trigger that this Airflow cannot
    read.
    """

    scratch: ScratchSchema
    names: Mapping[str, str]
    target_tables: Dict[str, Table]
    scratch_tables: Dict[str, Table]
    tables: Dict[str, Table]
    exported: Dict[str, int]
    rows: Dict[str, int]
    set_aside: Dict[str, Dict[str, int]]
    without_parent: Sequence[str]
    changed_values: Sequence[str]

    @property
    def connection(self) -> Any:
        return self.scratch.connection

    @property
    def target(self) -> MetadataDatabase:
        return self.scratch.target

    @property
    def artifact(self) -> Artifact:
        return self.scratch.artifact

    @property
    def gives_dag_versions(self) -> bool:
        """Whether the source knew no versions of DAGs, and the target does."""
        table, column, parent = DAG_VERSION_REFERENCE
        return parent not in self.exported and table in self.tables and column in self.tables[table].column_names

    def times_of_migrations(self, table: str) -> set[str]:
        """The columns of a table in which two upgrades of the artifact differ."""
        entries = self.artifact.tables
        there = {column for name in entries if self.names[name] == table for column in entries[name]["columns"]}
        return {*TIMES_OF_MIGRATIONS.get(table, ())} - there

    def scratch_value(self, table: Table, column: Column, alias: str) -> sql.Composable:
        """A column of the table in the scratch schema, as the target is to have it.

        Airflow 3's migrations make jsonb of some columns that its models make json, and people change columns' types.

        No scheduler of the target has looked at the runs that go on there. Said so, it leaves them alone until their
        DAG is unpaused. Otherwise it would end those whose tasks have ended within a minute, with the DAG's callbacks
        (``SchedulerJobRunner._update_dag_run_state_for_paused_dags``).
        """
        value = identifiers.column(alias, column.name)
        if (table.name, column.name) == _LAST_LOOKED_AT:
            goes_on = sql.SQL("{} is not distinct from 'running'").format(identifiers.column(alias, "state"))
            return sql.SQL("case when not {} then {} end").format(goes_on, value)
        found = self.scratch_tables[table.name].column(column.name)
        if found.type == column.type:
            return value
        if found.most_characters and column.most_characters:
            # PostgreSQL fills ``character`` up with blanks.
            return sql.SQL("{}::text").format(value) if found.type.startswith("character(") else value
        if column.type == "boolean" and found.type.split("(")[0] in NUMBERS:
            return sql.SQL("({} <> 0)").format(value)
        # A cast to a text of a certain length would cut it off.
        wanted = "text" if column.most_characters is not None else column.type
        return sql.SQL("{}::{}").format(value, sql.SQL(wanted)) if column.type_schema == "pg_catalog" else value


def read_upgraded(scratch: ScratchSchema, names: Mapping[str, str], done: Upgraded) -> UpgradedArtifact:
    """What the upgrade has led to, with every exported row accounted for and every column in its place.

    Rows that the migrations have made of exported ones count as exported, too: a deadline's callback is a row of its
    own from Airflow 3.2 on.
    """
    upgraded = read_tables(scratch.connection, scratch.name)
    target_tables = _without_handmade_columns(read_tables(scratch.connection, scratch.target.schema), upgraded)
    exported = {names[name]: int(entry["rows"]) for name, entry in scratch.artifact.tables.items()}
    rows, set_aside = _count_rows(scratch, names, upgraded, exported)
    exported.update(_made_of_exported(exported, upgraded, target_tables, rows))
    _check_columns(exported, upgraded, target_tables)
    scratch.connection.rollback()
    tables = {
        name: target_tables[name]
        for name in exported
        if name in target_tables and name in upgraded and name != DAG_TABLE
    }
    return UpgradedArtifact(scratch, names, target_tables, upgraded, tables, exported, rows, set_aside, *done)


def _made_of_exported(
    exported: Container[str], upgraded: Dict[str, Table], target_tables: Dict[str, Table], rows: Mapping[str, int]
) -> Dict[str, int]:
    """The rows of tables that the artifact does not hold and that its rows refer to by now, by table."""
    made: Dict[str, int] = {}
    waiting = [name for name in upgraded if name in exported and name != DAG_TABLE]
    while waiting:
        for key in target_tables[waiting[0]].foreign_keys if waiting[0] in target_tables else ():
            parent = str(key.parent)
            if parent not in exported and parent not in made and rows.get(parent) and parent != DAG_TABLE:
                made[parent] = rows[parent]
                waiting.append(parent)
        del waiting[0]
    return made


def _count_rows(
    scratch: ScratchSchema, names: Mapping[str, str], upgraded: Dict[str, Table], exported: Mapping[str, int]
) -> tuple[Dict[str, int], Dict[str, Dict[str, int]]]:
    """Rows by table, and rows set aside by the table they came from and the reason.

    Raises RowsUnaccounted if some are missing.
    """
    counted = {
        name: int(fetch_value(scratch.connection, sql.SQL("select count(*) from {}").format(scratch.table(name))))
        for name in upgraded
    }
    set_aside: Dict[str, Dict[str, int]] = {}
    for name, rows in counted.items():
        if name.startswith(SET_ASIDE_PREFIX) or name in ARCHIVES:
            reasons = set_aside.setdefault(_present(names, set_aside_source(name)), {})
            reasons[_reason(name)] = reasons.get(_reason(name), 0) + rows
    problems = []
    for name, of_artifact in exported.items():
        aside = sum(set_aside.get(name, {}).values())
        if name in counted and counted[name] + aside != of_artifact:
            problem = "{}: {} rows were exported, {} are left and {} set aside"
            problems.append(problem.format(name, of_artifact, counted[name], aside))
    if problems:
        message = "Airflow's migrations changed the number of rows ({}). Nothing was merged; report this as a defect."
        raise RowsUnaccounted(message.format("; ".join(problems)))
    return counted, set_aside


def _present(names: Mapping[str, str], name: str) -> str:
    """``set_aside_source`` may name a table as it is called now."""
    return names.get(name, name)


def _reason(moved_table: str) -> str:
    if moved_table.startswith(ORPHANS_PREFIX):
        return "its parent is not in the artifact"
    if moved_table.startswith(UNREADABLE_PREFIX):
        return "the target's Airflow cannot read it"
    if moved_table in ARCHIVES:
        return f"pickled; Airflow's migrations put it into {moved_table}"
    return "moved by Airflow's migrations"


def _without_handmade_columns(tables: Dict[str, Table], upgraded: Dict[str, Table]) -> Dict[str, Table]:
    """The target's tables without columns that the upgraded ones lack, no migration gives and a row can do without."""
    return {
        name: table.without(
            [
                column.name
                for column in table.columns
                if column.name not in upgraded[name].column_names
                and column.name not in columns_in_migrations(name)
                and column.name not in table.primary_key
                and (not column.not_null or column.default or column.identity)
            ]
        )
        if name in upgraded and reason_not_exported(name, table.column_names) is None
        else table
        for name, table in tables.items()
    }


def _check_columns(exported: Container[str], upgraded: Dict[str, Table], target_tables: Dict[str, Table]) -> None:
    """Raises UpgradeFailed if a table that would be merged has a column on one side only."""
    differences = []
    for name in upgraded:
        if name in exported and name in target_tables:
            only = set(upgraded[name].column_names) ^ set(target_tables[name].column_names)
            differences += [f"{name}.{column}" for column in sorted(only)]
    if differences:
        message = (
            "These columns are in the source, at the target's revision, or in the target, and not in both: {}. Nothing "
            "was merged. If somebody added them by hand, drop them or add them on the other side; if not, report this "
            "as a defect."
        )
        raise UpgradeFailed(message.format(", ".join(differences)))
