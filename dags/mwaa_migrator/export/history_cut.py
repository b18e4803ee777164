"""Cuts history by age and by DAG, so that a child row goes only with its run.

A run is inside the cut if it is unfinished or if it ended inside the wanted days (a run without an end counts by its
start, and without that by its execution date), and if its DAG id matches. Rows that belong to a run follow it, by
``run_id`` or, before Airflow 2.2, by ``execution_date``. Rows that belong to no run (events of the web UI, jobs,
dataset events) are cut by their own time and DAG. Settings are never cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import OWN_DAGS
from mwaa_migrator.postgres.catalog import Table, qualified


class Cut(NamedTuple):
    """History since ``since`` (None: all) of the DAGs whose whole id matches ``dags``, a PostgreSQL regular expression.

    ``without_own_dags`` leaves out what our own DAGs left in the source; it is asked for only where there is such.
    ``since`` is a time and not a number of days, because every copying process must cut at the same instant.
    """

    since: str | None = None
    dags: str | None = None
    without_own_dags: bool = False

    @property
    def is_everything(self) -> bool:
        return self.since is None and self.dags is None


#: The column that dates a row which belongs to no run, by table.
OWN_TIMES = {
    "log": "dttm",
    "job": "latest_heartbeat",
    "dataset_event": "timestamp",
    "sla_miss": "timestamp",
    "trigger": "created_date",
}

_FINISHED = ("success", "failed")


def row_filter(table: Table, tables: dict[str, Table], schema: str, cut: Cut) -> sql.Composable | None:
    """The condition on alias ``t`` under which a row of ``table`` is inside the cut; None where all rows are."""
    conditions: list[sql.Composable] = []
    if cut.without_own_dags and "dag_id" in table.column_names:
        ours = sql.SQL(", ").join([sql.Literal(dag) for dag in OWN_DAGS])
        conditions.append(sql.SQL("coalesce(t.dag_id, '') not in ({})").format(ours))
    elif cut.without_own_dags and "dag_run_id" in table.column_names:
        ours = sql.SQL(", ").join([sql.Literal(dag) for dag in OWN_DAGS])
        belongs = sql.SQL("not exists (select 1 from {} r where r.id = t.dag_run_id and r.dag_id in ({}))")
        conditions.append(belongs.format(qualified(schema, "dag_run"), ours))
    if not cut.is_everything:
        history = _history_filter(table, tables, schema, cut)
        if history is not None:
            conditions.append(history)
    return sql.SQL(" and ").join(conditions) if conditions else None


def _history_filter(table: Table, tables: dict[str, Table], schema: str, cut: Cut) -> sql.Composable | None:
    names = table.column_names
    if table.name == "dag_run":
        return _run_condition("t", cut)
    if "dag_run" in tables and table.name not in OWN_TIMES:
        link = _run_link(names)
        if link is not None:
            return sql.SQL("exists (select 1 from {} r where {} and {})").format(
                qualified(schema, "dag_run"), link, _run_condition("r", cut)
            )
    if table.name == "dataset_alias_dataset_event":
        return sql.SQL("exists (select 1 from {} e where e.id = t.event_id and {})").format(
            qualified(schema, "dataset_event"), _event_condition("e", tables, schema, cut)
        )
    if table.name == "dataset_event":
        return _event_condition("t", tables, schema, cut)
    if table.name == "trigger" and "task_instance" in tables:
        # A trigger belongs to the task instance that waits for it.
        waiting = _history_filter(tables["task_instance"], tables, schema, cut)
        return sql.SQL("t.id in (select t.trigger_id from {} t where t.trigger_id is not null and {})").format(
            qualified(schema, "task_instance"), waiting or sql.SQL("true")
        )
    conditions = _own_conditions(table, "t", cut)
    return sql.SQL(" and ").join(conditions) if conditions else None


def _run_link(names: Any) -> sql.Composable | None:
    if "dag_run_id" in names:
        return sql.SQL("r.id = t.dag_run_id")
    if "dag_id" in names and "run_id" in names:
        return sql.SQL("r.dag_id = t.dag_id and r.run_id = t.run_id")
    if "dag_id" in names and "execution_date" in names:
        return sql.SQL("r.dag_id = t.dag_id and r.execution_date = t.execution_date")
    return None


def _run_condition(alias: str, cut: Cut) -> sql.Composable:
    run = sql.SQL(alias + ".")
    conditions: list[sql.Composable] = []
    if cut.dags is not None:
        conditions.append(_dag_matches(run + sql.SQL("dag_id"), cut.dags))
    if cut.since is not None:
        conditions.append(
            sql.SQL(
                "(coalesce({0}state, '') not in ({1}) or "
                "coalesce({0}end_date, {0}start_date, {0}execution_date) >= {2}::timestamptz)"
            ).format(run, sql.SQL(", ").join([sql.Literal(state) for state in _FINISHED]), sql.Literal(cut.since))
        )
    return sql.SQL(" and ").join(conditions)


def _event_condition(alias: str, tables: dict[str, Table], schema: str, cut: Cut) -> sql.Composable:
    """Dataset events by their own time and DAG, and those that a run inside the cut consumed."""
    own = sql.SQL(" and ").join(_own_conditions(tables["dataset_event"], alias, cut, dag_column="source_dag_id"))
    if "dagrun_dataset_event" not in tables:
        return sql.SQL("({})").format(own)
    return sql.SQL("({} or {}.id in (select q.event_id from {} q join {} r on r.id = q.dag_run_id where {}))").format(
        own,
        sql.SQL(alias),
        qualified(schema, "dagrun_dataset_event"),
        qualified(schema, "dag_run"),
        _run_condition("r", cut),
    )


def _own_conditions(table: Table, alias: str, cut: Cut, dag_column: str = "dag_id") -> list[sql.Composable]:
    row = sql.SQL(alias + ".")
    conditions: list[sql.Composable] = []
    if cut.dags is not None and dag_column in table.column_names:
        dag = row + sql.Identifier(dag_column)
        conditions.append(sql.SQL("({} is null or {})").format(dag, _dag_matches(dag, cut.dags)))
    time = OWN_TIMES.get(table.name)
    if cut.since is not None and time is not None and time in table.column_names:
        conditions.append(
            sql.SQL("({0} is null or {0} >= {1}::timestamptz)").format(
                row + sql.Identifier(time), sql.Literal(cut.since)
            )
        )
    return conditions


def _dag_matches(dag: sql.Composable, dags: str) -> sql.Composable:
    return sql.SQL("{} ~ {}").format(dag, sql.Literal("^(?:" + dags + ")$"))
