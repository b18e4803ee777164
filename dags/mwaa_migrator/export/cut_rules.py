"""How history is dated, and which rows belong to others: what the cut of any database goes by."""

from __future__ import annotations

#: The column that dates a row which belongs to no run, by table.
OWN_TIMES = {
    "log": "dttm",
    "job": "latest_heartbeat",
    "dataset_event": "timestamp",
    "asset_event": "timestamp",
    "sla_miss": "timestamp",
    "trigger": "created_date",
}

#: What a run is dated by, the first that it has; ``execution_date`` is ``logical_date`` in Airflow 3, and may be NULL.
RUN_TIMES = ("end_date", "start_date", "execution_date", "logical_date", "run_after")

FINISHED_STATES = ("success", "failed")

#: Tables whose rows belong to those that wait for them, by table and column.
WAITED_FOR = {
    "trigger": (("task_instance", "trigger_id"), ("callback", "trigger_id")),
    "callback": (("deadline", "callback_id"),),
}

#: The events of datasets, which Airflow 3 calls assets, and who consumed them.
EVENTS = {"dataset_event": "dagrun_dataset_event", "asset_event": "dagrun_asset_event"}
