"""The pause states of an environment's DAGs, and its running tasks, in the metadata database."""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase

#: Task instances that an executor holds or will hold.
_RUNNING = ["queued", "running", "restarting", "shutdown"]


def active_dags(database: MetadataDatabase) -> list[str]:
    """The DAGs that are not paused, without our own."""
    query = sql.SQL("select dag_id from {} where not is_paused and dag_id <> all({}) order by 1")
    rows = fetch_all(database.connection, query.format(database.table(DAG_TABLE), sql.Literal(list(OWN_DAGS))))
    return [dag for (dag,) in rows]


def set_paused(database: MetadataDatabase, dags: list[str], paused: bool) -> int:
    """Commit this state for ``dags``, and return how many of them changed."""
    query = sql.SQL("update {} set is_paused = {paused} where dag_id = any({}) and is_paused is distinct from {paused}")
    changed = execute(
        database.connection,
        query.format(database.table(DAG_TABLE), sql.Literal(dags), paused=sql.Literal(paused)),
    )
    database.connection.commit()
    return changed


def count_running_tasks(database: MetadataDatabase) -> int:
    """Without our own DAGs' tasks."""
    query = sql.SQL("select count(*) from {} where state = any({}) and dag_id <> all({})").format(
        database.table("task_instance"), sql.Literal(_RUNNING), sql.Literal(list(OWN_DAGS))
    )
    return int(fetch_value(database.connection, query))
