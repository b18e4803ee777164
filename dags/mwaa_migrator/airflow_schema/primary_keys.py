"""The primary keys of Airflow's tables, for those that have lost them. A test holds them to all releases."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

from mwaa_migrator.errors import PrimaryKeyMissing
from mwaa_migrator.postgres.catalog import Table

#: Of tables that have these columns and no ``id``.
_KEYS: Mapping[str, Sequence[str]] = {
    "asset_active": ("name", "uri"),
    "asset_alias_asset": ("alias_id", "asset_id"),
    "asset_alias_asset_event": ("alias_id", "event_id"),
    "asset_dag_run_queue": ("asset_id", "target_dag_id"),
    "asset_state_store": ("asset_id", "key"),
    "asset_trigger": ("asset_id", "trigger_id"),
    "asset_watcher": ("asset_id", "trigger_id"),
    "dag_bundle": ("name",),
    "dag_bundle_team": ("dag_bundle_name", "team_name"),
    "dag_favorite": ("user_id", "dag_id"),
    "dag_run_note": ("dag_run_id",),
    "dag_schedule_asset_alias_reference": ("alias_id", "dag_id"),
    "dag_schedule_asset_name_reference": ("name", "dag_id"),
    "dag_schedule_asset_reference": ("asset_id", "dag_id"),
    "dag_schedule_asset_uri_reference": ("uri", "dag_id"),
    "dagrun_asset_event": ("dag_run_id", "event_id"),
    "dagrun_dataset_event": ("dag_run_id", "event_id"),
    "dataset_alias_dataset": ("alias_id", "dataset_id"),
    "dataset_alias_dataset_event": ("alias_id", "event_id"),
    "dataset_dag_run_queue": ("dataset_id", "target_dag_id"),
    "hitl_detail": ("ti_id",),
    "hitl_detail_history": ("ti_history_id",),
    "revoked_token": ("jti",),
    "task_inlet_asset_reference": ("asset_id", "dag_id", "task_id"),
    "task_instance_history": ("task_instance_id",),
    "task_instance_note": ("ti_id",),
    "task_outlet_asset_reference": ("asset_id", "dag_id", "task_id"),
    "team": ("name",),
    "xcom": ("dag_run_id", "task_id", "map_index", "key"),
}

#: Of all others: what a task instance is known by, as far as the table has it.
_OF_TASKS = ("dag_id", "task_id", "run_id", "execution_date", "map_index", "key")


def usual_key(table: Table) -> Sequence[str]:
    if "id" in table.column_names:
        return ("id",)
    key = _KEYS.get(table.name)
    if key is not None and set(key) <= set(table.column_names):
        return key
    return [name for name in _OF_TASKS if name in table.column_names] or ("...",)


def require_primary_keys(schema: str, tables: Iterable[Table]) -> None:
    """Raises PrimaryKeyMissing unless each table has one, on which Airflow's migrations and references to rows rely."""
    without = [table for table in tables if not table.primary_key]
    if without:
        statements = [
            f"ALTER TABLE {schema}.{table.name} ADD PRIMARY KEY ({', '.join(usual_key(table))});" for table in without
        ]
        raise PrimaryKeyMissing(
            f"No primary key: {', '.join(table.name for table in without)}. Airflow's migrations need it, and a "
            "restore without constraints, say, has lost it. Make it again, and the foreign keys that went with it: "
            + " ".join(statements)
        )
