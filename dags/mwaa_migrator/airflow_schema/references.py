"""Columns that hold another table's surrogate key, whether a constraint declares it or not."""

from __future__ import annotations

from typing import NamedTuple

from mwaa_migrator.postgres.catalog import Table


class Reference(NamedTuple):
    """A column that holds the surrogate key of ``parent``."""

    table: str
    column: str
    parent: str


#: References that no constraint declares, as Airflow's models use them (airflow.models.taskinstance, .dagrun, .xcom,
#: .trigger, .dataset, .asset). No release has all of these columns. Without the entries they would point at another
#: environment's rows.
UNDECLARED_REFERENCES = (
    Reference("dag_run", "creating_job_id", "job"),
    Reference("task_instance", "job_id", "job"),
    Reference("task_instance", "queued_by_job_id", "job"),
    Reference("task_instance_history", "job_id", "job"),
    Reference("task_instance_history", "queued_by_job_id", "job"),
    Reference("task_instance_history", "trigger_id", "trigger"),
    Reference("trigger", "triggerer_id", "job"),
    Reference("xcom", "dag_run_id", "dag_run"),
    Reference("dataset_event", "dataset_id", "dataset"),
    Reference("dag_run", "scheduled_by_job_id", "job"),
    Reference("asset_event", "asset_id", "asset"),
    Reference("partitioned_asset_key_log", "asset_id", "asset"),
    Reference("partitioned_asset_key_log", "asset_event_id", "asset_event"),
    Reference("partitioned_asset_key_log", "asset_partition_dag_run_id", "asset_partition_dag_run"),
)

#: References to numbers that a constraint declares, in a sound database; a restore can have lost it. A test holds them
#: to the databases of all releases.
DECLARED_REFERENCES = (
    Reference("task_instance", "trigger_id", "trigger"),
    Reference("dag_run", "log_template_id", "log_template"),
    Reference("dag_run_note", "dag_run_id", "dag_run"),
    Reference("dagrun_dataset_event", "dag_run_id", "dag_run"),
    Reference("dagrun_dataset_event", "event_id", "dataset_event"),
    Reference("dataset_dag_run_queue", "dataset_id", "dataset"),
    Reference("dataset_alias_dataset", "alias_id", "dataset_alias"),
    Reference("dataset_alias_dataset", "dataset_id", "dataset"),
    Reference("dataset_alias_dataset_event", "alias_id", "dataset_alias"),
    Reference("dataset_alias_dataset_event", "event_id", "dataset_event"),
    Reference("asset_dag_run_queue", "asset_id", "asset"),
    Reference("asset_alias_asset", "alias_id", "asset_alias"),
    Reference("asset_alias_asset", "asset_id", "asset"),
    Reference("asset_alias_asset_event", "alias_id", "asset_alias"),
    Reference("asset_alias_asset_event", "event_id", "asset_event"),
    Reference("asset_trigger", "asset_id", "asset"),
    Reference("asset_trigger", "trigger_id", "trigger"),
    Reference("asset_partition_dag_run", "created_dag_run_id", "dag_run"),
    Reference("asset_state_store", "asset_id", "asset"),
    Reference("asset_watcher", "asset_id", "asset"),
    Reference("asset_watcher", "trigger_id", "trigger"),
    Reference("backfill_dag_run", "backfill_id", "backfill"),
    Reference("backfill_dag_run", "dag_run_id", "dag_run"),
    Reference("callback", "trigger_id", "trigger"),
    Reference("dag_run", "backfill_id", "backfill"),
    Reference("dag_schedule_asset_alias_reference", "alias_id", "asset_alias"),
    Reference("dag_schedule_asset_reference", "asset_id", "asset"),
    Reference("dagrun_asset_event", "dag_run_id", "dag_run"),
    Reference("dagrun_asset_event", "event_id", "asset_event"),
    Reference("deadline", "dagrun_id", "dag_run"),
    Reference("task_inlet_asset_reference", "asset_id", "asset"),
    Reference("task_outlet_asset_reference", "asset_id", "asset"),
    Reference("task_state_store", "dag_run_id", "dag_run"),
)

#: Airflow 3's version of the DAG that ran. Before it, no version was kept (``merge/dag_versions.py``).
DAG_VERSION_REFERENCE = Reference("task_instance", "dag_version_id", "dag_version")

#: The columns, by table, that hold a user: a note's author, or whose favourite a DAG is. The target has other users:
#: they are matched by user name. A note's author that is not found is cleared.
USER_REFERENCES = (("dag_run_note", "user_id"), ("task_instance_note", "user_id"), ("dag_favorite", "user_id"))

#: The table of users by name. Airflow 3 can do without: then the columns hold the names themselves.
USER_TABLE = "ab_user"


def undeclared_references(table: Table) -> dict[str, str]:
    """Column to parent table, for the references that no constraint declares, or no more."""
    declared = {key.columns for key in table.foreign_keys}
    return {
        reference.column: reference.parent
        for reference in (*UNDECLARED_REFERENCES, *DECLARED_REFERENCES)
        if reference.table == table.name
        and reference.column in table.column_names
        and (reference.column,) not in declared
    }


def surrogate_references(table: Table, tables: dict[str, Table]) -> dict[str, str]:
    """Column to parent table, for the references to surrogate keys, declared or not.

    ``tables`` are those of the whole schema: a reference counts whether its parent is merged or not.
    """
    references = undeclared_references(table)
    for key in table.foreign_keys:
        parent = tables.get(str(key.parent))
        if len(key.columns) == 1 and parent is not None and key.parent_columns == (parent.surrogate_key,):
            references[key.columns[0]] = parent.name
    return references
