"""Which of the target's DAGs are paused after an import, and where their schedules stand.

A DAG that the target has not parsed yet gets a row that says little more than its name and its pause state; Airflow
keeps the state when it parses the DAG. Versions of DAGs, which Airflow 3 keeps, need such a row whether the source
still has the DAG's file or not. Our own DAGs are never touched.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS
from mwaa_migrator.options import ALL_PAUSED, KEEP_STATES, SOURCE_STATES
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute, fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact

#: Where Airflow's scheduler stands with a DAG (airflow.models.dag.DagModel); sources before 2.0 have none of them.
_SCHEDULE_COLUMNS = (
    "next_dagrun",
    "next_dagrun_create_after",
    "next_dagrun_data_interval_start",
    "next_dagrun_data_interval_end",
)


#: Where Airflow 3 looks for the DAG's file.
_BUNDLE = "bundle_name"

_NOT_OURS = sql.SQL("s.dag_id <> all({})").format(sql.Literal(list(OWN_DAGS)))


def lock_dags(upgraded: UpgradedArtifact) -> None:
    """Lock the rows that the functions below change, in the order that ``dag_tasks/dag_states.py`` keeps as well."""
    statement = sql.SQL(
        "select from {} d where exists (select from {} s where s.dag_id = d.dag_id) order by d.dag_id for update"
    )
    tables = upgraded.target.table(DAG_TABLE), upgraded.scratch.table(DAG_TABLE)
    execute(upgraded.connection, statement.format(*tables))


def apply_pause_states(upgraded: UpgradedArtifact, choice: str) -> dict[str, Any]:
    """Give the target's DAGs the states that ``choice`` asks for.

    Returns ``{"changed", "not_parsed"}``: how many DAGs changed, and the ids of those that the target has not parsed.
    """
    if choice == KEEP_STATES:
        return {"changed": 0, "not_parsed": []}
    paused = sql.SQL("true") if choice == ALL_PAUSED else sql.SQL("s.is_paused")
    source, target = upgraded.scratch.table(DAG_TABLE), upgraded.target.table(DAG_TABLE)
    changed = execute(
        upgraded.connection,
        sql.SQL(
            "update {} d set is_paused = {paused} from {} s "
            "where d.dag_id = s.dag_id and {not_ours} and d.is_paused is distinct from {paused}"
        ).format(target, source, paused=paused, not_ours=_NOT_OURS),
    )
    not_parsed = _add_dags(upgraded, paused, _is_active(upgraded.target_tables[DAG_TABLE], "s"))
    return {"changed": changed + len(not_parsed), "not_parsed": not_parsed}


def add_dags_of_versions(upgraded: UpgradedArtifact, choice: str) -> list[str]:
    """Add rows for DAGs of which the source has versions and the target knows nothing; returns their ids.

    They are paused, unless ``choice`` has them as the source had them.
    """
    has_version = sql.SQL("exists (select from {} v where v.dag_id = s.dag_id)").format(
        upgraded.scratch.table(DAG_VERSION_REFERENCE.parent)
    )
    return _add_dags(upgraded, sql.SQL("s.is_paused" if choice == SOURCE_STATES else "true"), has_version)


def _add_dags(upgraded: UpgradedArtifact, paused: sql.Composable, condition: sql.Composable) -> list[str]:
    """Add the source's DAGs, alias ``s``, that the target does not have; returns their ids."""
    source, target = upgraded.scratch.table(DAG_TABLE), upgraded.target.table(DAG_TABLE)
    table = upgraded.target_tables[DAG_TABLE]
    columns = table.column_names
    if _BUNDLE in columns:
        _add_bundles(upgraded)
    # Neither active nor fresh is a DAG whose file Airflow has not seen; parsing the file makes it so.
    special = {
        "is_active": sql.SQL("false"),
        "is_stale": sql.SQL("true"),
        "is_paused": paused,
        "pickle_id": sql.SQL("null"),
    }
    values = [special.get(column.name, upgraded.scratch_value(table, column, "s")) for column in table.columns]
    added = fetch_all(
        upgraded.connection,
        sql.SQL(
            "insert into {} ({}) select {} from {} s where {} and {} "
            "and not exists (select 1 from {} d where d.dag_id = s.dag_id) order by s.dag_id returning dag_id"
        ).format(
            target,
            identifiers.columns(columns),
            sql.SQL(", ").join(values),
            source,
            _NOT_OURS,
            condition,
            target,
        ),
    )
    return sorted(dag for (dag,) in added)


def _add_bundles(upgraded: UpgradedArtifact) -> None:
    """Add the bundles that the source's DAGs are in. Airflow marks those that it is not configured with."""
    statement = sql.SQL(
        "insert into {} (name) select distinct s.{bundle} from {} s where s.{bundle} is not null on conflict do nothing"
    )
    tables = upgraded.target.table("dag_bundle"), upgraded.scratch.table(DAG_TABLE)
    execute(upgraded.connection, statement.format(*tables, bundle=sql.Identifier(_BUNDLE)))


def carry_schedules(upgraded: UpgradedArtifact) -> int:
    """Let the target's scheduler go on where the source's stood, and return for how many DAGs.

    The target worked out the next run of each DAG when it parsed them, without a history. It does so again at the next
    parsing, but a DAG may be unpaused before that.
    """
    target = upgraded.target_tables[DAG_TABLE].column_names
    columns = [sql.Identifier(column) for column in _SCHEDULE_COLUMNS if column in target]
    return execute(
        upgraded.connection,
        sql.SQL("update {} d set {} from {} s where d.dag_id = s.dag_id and s.next_dagrun is not null and {}").format(
            upgraded.target.table(DAG_TABLE),
            sql.SQL(", ").join([sql.SQL("{0} = s.{0}").format(column) for column in columns]),
            upgraded.scratch.table(DAG_TABLE),
            _is_active(upgraded.target_tables[DAG_TABLE], "d"),
        ),
    )


def _is_active(table: Table, alias: str) -> sql.Composable:
    """Whether Airflow has seen the DAG's file; Airflow 3 keeps the opposite."""
    if "is_stale" in table.column_names:
        return sql.SQL("not {}").format(identifiers.column(alias, "is_stale"))
    return identifiers.column(alias, "is_active")
