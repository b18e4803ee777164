"""What the columns of Airflow's tables take, as its migrations make them: the limits of a target, known to its source.

From Airflow 2.9 on they are the same in every release, and no release before took more. So only a source whose columns
somebody has changed holds what a target does not take: longer text, larger numbers, NULL. A test holds this to the
databases of all releases.
"""

from __future__ import annotations

from typing import Mapping, Sequence, Tuple

_TASK = {"dag_id": 250, "task_id": 250, "run_id": 250}
_TASK_INSTANCE = {
    **_TASK, "state": 20, "hostname": 1000, "unixname": 1000, "pool": 256, "queue": 256, "operator": 1000,
    "custom_operator_name": 1000, "executor": 1000, "external_executor_id": 250, "next_method": 1000,
    "rendered_map_index": 250, "task_display_name": 2000,
}  # fmt: skip

#: The characters that a column of type ``character varying`` takes at most, by table and column.
MOST_CHARACTERS: Mapping[str, Mapping[str, int]] = {
    "connection": {"conn_id": 250, "conn_type": 500, "host": 500, "schema": 500},
    "dag": {
        "dag_id": 250, "root_dag_id": 250, "fileloc": 2000, "processor_subdir": 2000, "owners": 2000,
        "dag_display_name": 2000, "default_view": 25, "timetable_description": 1000,
    },
    "dag_run": {"dag_id": 250, "run_id": 250, "state": 50, "run_type": 50, "dag_hash": 32},
    "dag_run_note": {"content": 1000},
    "dataset": {"uri": 3000},
    "dataset_alias": {"name": 3000},
    "dataset_dag_run_queue": {"target_dag_id": 250},
    "dataset_event": {"source_dag_id": 250, "source_task_id": 250, "source_run_id": 250},
    "job": {"dag_id": 250, "state": 20, "job_type": 30, "executor_class": 500, "hostname": 500, "unixname": 1000},
    "log": {**_TASK, "event": 60, "owner": 500, "owner_display_name": 500},
    "rendered_task_instance_fields": _TASK,
    "sla_miss": {"dag_id": 250, "task_id": 250},
    "slot_pool": {"pool": 256},
    "task_fail": _TASK,
    "task_instance": _TASK_INSTANCE,
    "task_instance_history": _TASK_INSTANCE,
    "task_instance_note": {**_TASK, "content": 1000},
    "task_map": _TASK,
    "task_reschedule": _TASK,
    "trigger": {"classpath": 1000},
    "variable": {"key": 250},
    "xcom": {**_TASK, "key": 512},
}  # fmt: skip

#: The release from which a column takes text of any length.
WITHOUT_LIMIT_SINCE: Mapping[tuple[str, str], str] = {
    ("task_instance", "external_executor_id"): "3.2.0",
    ("task_instance_history", "external_executor_id"): "3.2.0",
}

#: Every number of these tables is an ``integer``, but for these.
LARGEST_INTEGER = 2**31 - 1
FRACTIONS = (("task_instance", "duration"), ("task_instance_history", "duration"))

INTEGER, FRACTION, TRUTH, TIME = "an integer", "a floating-point number", "a boolean", "a time"

#: What columns hold that are no text, by their names: the same in every table above and in every 2.x.
_HELD_BY_NAME: Mapping[str, Sequence[str]] = {
    INTEGER: (
        "clear_number", "creating_job_id", "dag_run_id", "dataset_id", "duration", "id", "job_id", "length",
        "log_template_id", "map_index", "max_tries", "pid", "pool_slots", "port", "priority_weight",
        "queued_by_job_id", "slots", "source_map_index", "trigger_id", "triggerer_id", "try_number",
    ),
    TRUTH: (
        "email_sent", "external_trigger", "include_deferred", "is_encrypted", "is_extra_encrypted", "is_orphaned",
        "notification_sent",
    ),
    TIME: (
        "created_at", "created_date", "data_interval_end", "data_interval_start", "dttm", "end_date", "execution_date",
        "last_scheduling_decision", "latest_heartbeat", "queued_at", "queued_dttm", "reschedule_date", "start_date",
        "timestamp", "trigger_timeout", "updated_at",
    ),
}  # fmt: skip


def held(table: str, column: str) -> str | None:
    """What a column of Airflow's holds: INTEGER, FRACTION, TRUTH or TIME; None if text, bytes, JSON, or unknown."""
    if table not in MOST_CHARACTERS:
        return None
    if (table, column) in FRACTIONS:
        return FRACTION
    return next((what for what, names in _HELD_BY_NAME.items() if column in names), None)


#: Columns outside of the primary key that are NOT NULL in every release that has them.
NEVER_NULL: Mapping[str, Sequence[str]] = {
    "dag_run": ("run_type", "clear_number"),
    "dag_run_note": ("created_at", "updated_at"),
    "dataset": ("uri", "extra", "created_at", "updated_at"),
    "dataset_alias": ("name",),
    "dataset_event": ("dataset_id", "extra", "timestamp"),
    "log_template": ("filename", "elasticsearch_id", "created_at"),
    "rendered_task_instance_fields": ("rendered_fields",),
    "slot_pool": ("include_deferred",),
    "task_fail": ("dag_id", "task_id", "run_id", "map_index"),
    "task_instance": ("pool",),
    "task_instance_history": ("dag_id", "task_id", "run_id", "map_index", "try_number", "pool", "pool_slots"),
    "task_instance_note": ("created_at", "updated_at"),
    "task_map": ("length",),
    "task_reschedule": (
        "dag_id", "task_id", "run_id", "map_index", "try_number", "start_date", "end_date", "duration",
        "reschedule_date",
    ),
    "trigger": ("classpath", "kwargs", "created_date"),
    "xcom": ("dag_id", "run_id", "timestamp"),
}  # fmt: skip

#: What is unique beside the primary key, in every release that has the table with a number of its own.
UNIQUE: Mapping[str, Sequence[Tuple[str, ...]]] = {
    "asset": (("name", "uri"),),
    "asset_alias": (("name",),),
    "connection": (("conn_id",),),
    "dag_run": (("dag_id", "run_id"),),
    "dataset": (("uri",),),
    "dataset_alias": (("name",),),
    "slot_pool": (("pool",),),
    "task_instance_history": (("dag_id", "task_id", "run_id", "map_index", "try_number"),),
    "variable": (("key",),),
}

#: Conditions that a constraint of the table keeps in every release that has it, by table.
ALWAYS_TRUE: Mapping[str, str] = {"task_map": "t.length >= 0"}
