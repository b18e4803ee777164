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

#: Airflow 3's version of the DAG that ran. Before it, no version was kept (``merge/dag_versions.py``).
DAG_VERSION_REFERENCE = Reference("task_instance", "dag_version_id", "dag_version")

#: The columns, by table, that hold a user: a note's author, or whose favourite a DAG is. The target has other users:
#: they are matched by user name. A note's author that is not found is cleared.
USER_REFERENCES = (("dag_run_note", "user_id"), ("task_instance_note", "user_id"), ("dag_favorite", "user_id"))

#: The table of users by name. Airflow 3 can do without: then the columns hold the names themselves.
USER_TABLE = "ab_user"


def undeclared_references(table: Table) -> dict[str, str]:
    """Column to parent table, for the references that no constraint declares."""
    return {
        reference.column: reference.parent
        for reference in UNDECLARED_REFERENCES
        if reference.table == table.name and reference.column in table.column_names
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
