"""Triggers that this Airflow cannot read, set aside before its migrations meet them.

Before Airflow 2.9 a trigger's arguments are JSON in clear. The migration that encrypts them reads them with Airflow's
own code, and ends with the first that needs what is not installed here, such as a pod without ``kubernetes``.
Only the target can know that. Its task arrives without its trigger.
"""

from __future__ import annotations

from typing import Any, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import SET_ASIDE_PREFIX
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.postgres.row_names import row_name
from mwaa_migrator.postgres.session import execute, fetch_all
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.wording import listed

UNREADABLE_PREFIX = SET_ASIDE_PREFIX + "__unreadable__"
_TRIGGER = "trigger"
_MOST_TASKS = 3

#: Of what Airflow says; it can quote the whole value.
_MOST_CHARACTERS = 300


def set_unreadable_triggers_aside(scratch: ScratchSchema) -> List[str]:
    """Move them, clear the references to them, commit, and return a line for each."""
    connection = scratch.connection
    tables = read_tables(connection, scratch.name)
    connection.rollback()
    if _TRIGGER not in tables or tables[_TRIGGER].column("kwargs").type not in ("json", "jsonb"):
        return []
    query = sql.SQL("select id, classpath, kwargs from {} order by 1").format(scratch.table(_TRIGGER))
    lines: List[str] = []
    for trigger, classpath, kwargs in fetch_all(connection, query):
        problem = _problem(kwargs)
        if problem is not None:
            what = f"trigger {trigger} ({' '.join(classpath.split())}) of {_tasks(scratch, trigger)}"
            lines.append(f"{what}, set aside: this Airflow cannot read it ({problem})")
            _move(scratch, trigger)
    connection.commit()
    return lines


def _problem(kwargs: Any) -> str | None:
    from airflow.serialization.serialized_objects import BaseSerialization

    try:
        BaseSerialization.serialize(BaseSerialization.deserialize(kwargs))
    except Exception as error:  # noqa: BLE001 - whatever it is, the migration would end with it
        said = " ".join(str(error).split())
        return f"{type(error).__name__}: {said[:_MOST_CHARACTERS]}"
    return None


def _tasks(scratch: ScratchSchema, trigger: int) -> str:
    query = sql.SQL("select {} from {} t where trigger_id = {} order by 1").format(
        row_name(("dag_id", "task_id", "run_id")), scratch.table("task_instance"), sql.Literal(trigger)
    )
    tasks = [task for (task,) in fetch_all(scratch.connection, query)]
    return listed(tasks[:_MOST_TASKS], len(tasks)) or "no task"


def _move(scratch: ScratchSchema, trigger: int) -> None:
    ours, table, key = scratch.table(UNREADABLE_PREFIX + _TRIGGER), scratch.table(_TRIGGER), sql.Literal(trigger)
    for statement in (
        sql.SQL("create table if not exists {0} (like {1})").format(ours, table),
        sql.SQL("insert into {0} select * from {1} where id = {2}").format(ours, table, key),
        sql.SQL("update {0} set trigger_id = null where trigger_id = {1}").format(scratch.table("task_instance"), key),
        sql.SQL("delete from {0} where id = {1}").format(table, key),
    ):
        execute(scratch.connection, statement)
