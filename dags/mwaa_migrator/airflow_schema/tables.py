"""Which tables an export takes, and what the catalog does not say about them.

The rule: every table in the schema of the metadata database is exported, except

* tables that fill themselves on the target or hold nothing that outlives a process (``FILLS_ITSELF``, by name, and
  ``FILLS_ITSELF_PREFIXES``, by the beginning of the name), and
* tables that the running Airflow does not know (made by users, plugins, or set aside by an earlier upgrade); these are
  named in the manifest under ``not_exported``.

A table that a newer Airflow adds is therefore exported without a change here. Keys and references are read from
``pg_catalog``; only what no constraint declares is listed below.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

#: The table that holds the schema's revision.
REVISION = "alembic_version"

FILLS_ITSELF = {
    "alembic_version": "the schema revision; the target has its own",
    "alembic_version_fab": "the FAB provider's schema revision; the target has its own",
    "callback_request": "callbacks that the DAG processor consumes at once",
    "celery_taskmeta": "Celery's results, meaningless to another broker",
    "celery_tasksetmeta": "Celery's results, meaningless to another broker",
    "chart": "Airflow 1.10's ad-hoc charts, removed in 2.0",
    "dag_code": "written when the target parses the DAGs",
    "dag_owner_attributes": "written when the target parses the DAGs",
    "dag_pickle": "pickled DAGs, written by the scheduler on demand",
    "dag_priority_parsing_request": "requests that the DAG processor consumes at once",
    "dag_schedule_dataset_alias_reference": "written when the target parses the DAGs",
    "dag_schedule_dataset_reference": "written when the target parses the DAGs",
    "dag_tag": "written when the target parses the DAGs",
    "dag_warning": "written when the target parses the DAGs",
    "import_error": "written when the target parses the DAGs",
    "known_event": "Airflow 1.10's charts, removed in 2.0",
    "known_event_type": "Airflow 1.10's charts, removed in 2.0",
    "kube_resource_version": "a KubernetesExecutor's bookmark in a cluster",
    "kube_worker_uuid": "a KubernetesExecutor's identity in a cluster",
    "sensor_instance": "smart sensors' queue, removed in 2.4",
    "serialized_dag": "written when the target parses the DAGs",
    "session": "web sessions",
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

#: The table whose rows the import does not merge: only the pause state of each DAG is taken from it.
PAUSE_STATE_TABLE = "dag"


class Reference(NamedTuple):
    """A column that holds another table's surrogate key."""

    table: str
    column: str
    parent: str


#: References that no constraint declares, as Airflow's models use them (airflow.models.taskinstance, .dagrun, .xcom,
#: .trigger, .dataset). Without these entries the columns would point at other environments' rows.
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
)

#: What identifies a row across environments where the catalog has no unique key for it or more than one.
IDENTITIES: Mapping[str, tuple[str, ...]] = {
    # The table has a second unique key, (dag_id, execution_date); a run is known by its run_id everywhere else.
    "dag_run": ("dag_id", "run_id"),
    # Airflow looks a template up by its text (airflow.utils.db.synchronize_log_template).
    "log_template": ("filename", "elasticsearch_id"),
}


class SecretColumn(NamedTuple):
    """A column that Airflow encrypts with the Fernet key; ``flag`` is the column that says whether it did."""

    column: str
    flag: str | None


#: airflow.models.variable, .connection, .trigger. A trigger's kwargs are encrypted since Airflow 2.9, without a flag.
SECRET_COLUMNS: Mapping[str, Sequence[SecretColumn]] = {
    "variable": (SecretColumn("val", "is_encrypted"),),
    "connection": (SecretColumn("password", "is_encrypted"), SecretColumn("extra", "is_extra_encrypted")),
    "trigger": (SecretColumn("kwargs", None),),
}

#: The column that names a row of a table of secrets in messages.
SECRET_NAMES = {"variable": "key", "connection": "conn_id", "trigger": "id"}

#: Where a run's author is kept: the target has other users, so the reference is matched by user name or cleared.
USER_REFERENCES = (("dag_run_note", "user_id"), ("task_instance_note", "user_id"))


#: Tables whose rows Airflow itself makes on the target as well: a row of the same identity is the same row, whatever
#: its time stamps say.
MATCHED_ONLY = ("log_template", "dataset", "dataset_alias")

#: Our own DAGs, whose runs and states are never migrated.
OWN_DAGS = ("mwaa_migrator_export", "mwaa_migrator_import", "mwaa_migrator_resume")

#: Where our DAGs leave rows; in every other table a row of theirs goes with its run. Deleting a DAG leaves its events
#: and jobs behind.
OWN_TRACES = ("dag", "dag_run", "task_instance", "log", "job")


def reason_not_exported(table: str) -> str | None:
    """Why the rule leaves a table out, or None for a table that it exports."""
    if table in FILLS_ITSELF:
        return FILLS_ITSELF[table]
    for prefix, reason in FILLS_ITSELF_PREFIXES.items():
        if table.startswith(prefix):
            return reason
    if table.startswith(SET_ASIDE_PREFIX):
        return "rows that an earlier upgrade of this database set aside"
    return None


def secret_column_names(table: str) -> tuple[str, ...]:
    """The columns of a table that differ between two encryptions of the same value, flags included."""
    names = []
    for secret in SECRET_COLUMNS.get(table, ()):
        names.append(secret.column)
        if secret.flag:
            names.append(secret.flag)
    return tuple(names)


def set_aside_source(moved_table: str) -> str:
    """The table whose rows a ``_airflow_moved__2_2__dangling__task_instance`` holds: the part after the last ``__``."""
    return moved_table.rsplit("__", 1)[-1]


def undeclared_references(table: str) -> dict[str, str]:
    """Column to parent table, for the references that no constraint declares."""
    return {reference.column: reference.parent for reference in UNDECLARED_REFERENCES if reference.table == table}
