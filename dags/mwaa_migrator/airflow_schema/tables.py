"""Which tables an export takes.

The rule: every table in the metadata database's schema, except

* tables that fill themselves on the target, or hold nothing that outlives a process (``FILLS_ITSELF``, by name, and
  ``FILLS_ITSELF_PREFIXES``, by the beginning of the name), and
* tables that the running Airflow does not know (made by users or plugins, or set aside by an earlier upgrade).

The manifest names those under ``not_exported``. A table that a newer Airflow adds is exported without a change here.
"""

from __future__ import annotations

from typing import Container

#: The table that holds the schema's revision.
REVISION_TABLE = "alembic_version"

#: The same of the FAB provider, which has migrations of its own.
FAB_REVISION_TABLE = "alembic_version_fab"

#: Tables of every Airflow from 1.10.12 on. Where one of them is missing, Airflow's tables are somewhere else.
EVERY_AIRFLOWS_TABLES = (
    "dag_run", "task_instance", "xcom", "connection", "dag", "job", "log", "slot_pool", "variable",
)  # fmt: skip

#: Why a table is not exported that the options leave out.
LEFT_OUT_AS_ASKED = "left out as asked"

FILLS_ITSELF = {
    "alembic_version": "the schema revision; the target has its own",
    "alembic_version_fab": "the FAB provider's schema revision; the target has its own",
    "asset_active": "written when the target parses the DAGs",
    "asset_trigger": "written when the target parses the DAGs",
    "asset_watcher": "written when the target parses the DAGs",
    "callback_request": "callbacks that the DAG processor consumes at once",
    "celery_taskmeta": "Celery's results, meaningless to another broker",
    "celery_tasksetmeta": "Celery's results, meaningless to another broker",
    "chart": "Airflow 1.10's ad-hoc charts, removed in 2.0",
    "connection_test_request": "tests of connections that a worker consumes at once",
    "dag_code": "written when the target parses the DAGs",
    "dag_owner_attributes": "written when the target parses the DAGs",
    "dag_pickle": "pickled DAGs, written by the scheduler on demand",
    "dag_priority_parsing_request": "requests that the DAG processor consumes at once",
    "dag_schedule_asset_alias_reference": "written when the target parses the DAGs",
    "dag_schedule_asset_name_reference": "written when the target parses the DAGs",
    "dag_schedule_asset_reference": "written when the target parses the DAGs",
    "dag_schedule_asset_uri_reference": "written when the target parses the DAGs",
    "dag_schedule_dataset_alias_reference": "written when the target parses the DAGs",
    "dag_schedule_dataset_reference": "written when the target parses the DAGs",
    "dag_tag": "written when the target parses the DAGs",
    "dag_warning": "written when the target parses the DAGs",
    "import_error": "written when the target parses the DAGs",
    "known_event": "Airflow 1.10's charts, removed in 2.0",
    "known_event_type": "Airflow 1.10's charts, removed in 2.0",
    "kube_resource_version": "a KubernetesExecutor's bookmark in a cluster",
    "kube_worker_uuid": "a KubernetesExecutor's identity in a cluster",
    "revoked_token": "web sessions that have ended",
    "sensor_instance": "smart sensors' queue, removed in 2.4",
    "serialized_dag": "written when the target parses the DAGs",
    "session": "web sessions",
    "task_inlet_asset_reference": "written when the target parses the DAGs",
    "task_outlet_asset_reference": "written when the target parses the DAGs",
    "task_outlet_dataset_reference": "written when the target parses the DAGs",
    "user": "Airflow 1.10's users; MWAA takes users from IAM",
    "users": "Airflow 1.10's users; MWAA takes users from IAM",
}

FILLS_ITSELF_PREFIXES = {
    "ab_": "Flask-AppBuilder's users and roles; MWAA takes users from IAM",
    "sqlite_": "not a table of Airflow's",
}

#: Prefix of the tables into which Airflow's migrations move rows that they cannot convert.
SET_ASIDE_PREFIX = "_airflow_moved"

#: The same, where Airflow 3's migrations put pickled XComs, and the table that they come from.
ARCHIVES = {"_xcom_archive": "xcom"}

#: The table whose rows the import does not merge: it takes only the pause state of each DAG.
DAG_TABLE = "dag"

RUN_TABLE = "dag_run"

LOG_TEMPLATE_TABLE = "log_template"

#: What people set, and what a delta takes whole.
SETTINGS = ("connection", DAG_TABLE, "slot_pool", "variable")

#: Where Airflow itself writes while all DAGs are paused: when it parsed a DAG and refreshed a bundle of DAGs, its
#: components' heartbeats, what people do in the web interface. None of these is a run or a setting.
WRITTEN_WHILE_PAUSED = frozenset({DAG_TABLE, "dag_bundle", "job", "log"})

#: The column by which a table has something of a version of a DAG.
DAG_VERSION_COLUMN = "dag_version_id"

#: Our own DAGs, whose runs and states are never migrated; the last is what a killed doctor leaves behind.
OWN_DAGS = ("mwaa_migrator_export", "mwaa_migrator_import", "mwaa_migrator_resume", "mwaa_migrator_doctor")

#: Where our DAGs may leave rows that no run of theirs leads to: deleting a DAG leaves its events and jobs behind.
TABLES_WITH_OWN_DAGS = ("dag", "dag_run", "task_instance", "log", "job")


def reason_not_exported(table: str, columns: Container[str] = ()) -> str | None:
    """Why the rule leaves a table out; None for a table that it exports.

    What is written when DAGs are parsed is history if the table has it for each version of a DAG, as from Airflow 3 on.
    """
    if table in FILLS_ITSELF and DAG_VERSION_COLUMN not in columns:
        return FILLS_ITSELF[table]
    for prefix, reason in FILLS_ITSELF_PREFIXES.items():
        if table.startswith(prefix):
            return reason
    if table.startswith(SET_ASIDE_PREFIX) or table in ARCHIVES:
        return "rows that an earlier upgrade of this database set aside"
    return None


def is_of_flask_appbuilder(table: str) -> bool:
    """Whether the FAB provider brings the table, which is Airflow's own up to 2.x."""
    return table == FAB_REVISION_TABLE or table.startswith("ab_")


def set_aside_source(moved_table: str) -> str:
    """The table whose rows a ``_airflow_moved__2_2__dangling__task_instance`` holds: the part after the last ``__``."""
    if moved_table in ARCHIVES:
        return ARCHIVES[moved_table]
    return moved_table.rsplit("__", 1)[-1]
