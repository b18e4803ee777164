"""Cuts history by age and by DAG, so that a child row goes only with its run.

A run is inside the cut if its DAG id matches and it is unfinished or ended within the wanted days (without an end, its
start counts; without that, its execution date). Rows that belong to a run follow it, by ``run_id`` or, before Airflow
2.2, by ``execution_date``. Rows that belong to no run (events of the web UI, jobs, dataset events) are cut by their own
time and DAG. Settings are never cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Container, Mapping

from psycopg2 import sql
from psycopg2.errors import InvalidRegularExpression

from mwaa_migrator.airflow_schema.tables import OWN_DAGS, TABLES_WITH_OWN_DAGS
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.export.plan import ExportOptions, ExportPlan
from mwaa_migrator.options import ALL_DAGS
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute, fetch_value

#: The column that dates a row which belongs to no run, by table.
OWN_TIMES = {
    "log": "dttm",
    "job": "latest_heartbeat",
    "dataset_event": "timestamp",
    "sla_miss": "timestamp",
    "trigger": "created_date",
}

_FINISHED = sql.SQL("('success', 'failed')")


@dataclass(frozen=True)
class HistoryCut:
    """History since ``since`` (None: all) of the DAGs whose id matches ``dags``, a PostgreSQL regular expression.

    ``since`` is a time and not a number of days, because every copying process must cut at the same instant.
    ``without_own_dags`` leaves out what our own DAGs left in the source; it is false if there is nothing of them.
    ``set_aside`` has a condition, by table, for rows that stay behind because Airflow's migrations do not take them.
    """

    plan: ExportPlan
    since: str | None
    dags: str | None
    without_own_dags: bool
    set_aside: Mapping[str, sql.Composable] = field(default_factory=dict)

    def condition(self, table: Table) -> sql.Composable | None:
        """The condition on alias ``t`` under which a row of ``table`` is inside the cut; None if all rows are."""
        conditions = [self._without_own_dags(table), self._history(table)]
        if table.name in self.set_aside:
            conditions.append(sql.SQL("not coalesce({}, false)").format(self.set_aside[table.name]))
        return _all_of([condition for condition in conditions if condition is not None])

    def _without_own_dags(self, table: Table) -> sql.Composable | None:
        if not self.without_own_dags:
            return None
        ours = sql.SQL(", ").join([sql.Literal(dag) for dag in OWN_DAGS])
        if "dag_id" in table.column_names:
            return sql.SQL("coalesce(t.dag_id, '') not in ({})").format(ours)
        if "dag_run_id" in table.column_names:
            belongs = sql.SQL("not exists (select 1 from {} r where r.id = t.dag_run_id and r.dag_id in ({}))")
            return belongs.format(self._table("dag_run"), ours)
        return None

    def _history(self, table: Table) -> sql.Composable | None:
        if self.since is None and self.dags is None:
            return None
        tables = self.plan.tables
        if table.name == "dag_run":
            return self._of_run("t")
        if "dag_run" in tables and table.name not in OWN_TIMES:
            link = _link_to_run(table.column_names)
            if link is not None:
                return sql.SQL("exists (select 1 from {} r where {} and {})").format(
                    self._table("dag_run"), link, self._of_run("r")
                )
        if table.name == "dataset_alias_dataset_event":
            return sql.SQL("exists (select 1 from {} e where e.id = t.event_id and {})").format(
                self._table("dataset_event"), self._of_event("e")
            )
        if table.name == "dataset_event":
            return self._of_event("t")
        if table.name == "trigger" and "task_instance" in tables:
            # A trigger belongs to the task instance that waits for it.
            waiting = self._history(tables["task_instance"])
            return sql.SQL("t.id in (select t.trigger_id from {} t where t.trigger_id is not null and {})").format(
                self._table("task_instance"), waiting or sql.SQL("true")
            )
        return _all_of(self._of_own(table, "t"))

    def _table(self, name: str) -> sql.Identifier:
        return self.plan.source.table(name)

    def _of_run(self, alias: str) -> sql.Composable:
        conditions: list[sql.Composable] = []
        if self.dags is not None:
            conditions.append(_dag_matches(identifiers.column(alias, "dag_id"), self.dags))
        if self.since is not None:
            conditions.append(
                sql.SQL(
                    "(coalesce({0}.state, '') not in {1} or "
                    "coalesce({0}.end_date, {0}.start_date, {0}.execution_date) >= {2}::timestamptz)"
                ).format(sql.Identifier(alias), _FINISHED, sql.Literal(self.since))
            )
        return sql.SQL(" and ").join(conditions)

    def _of_event(self, alias: str) -> sql.Composable:
        """Dataset events by their own time and DAG, and those that a run inside the cut consumed."""
        events = self.plan.tables["dataset_event"]
        own = sql.SQL(" and ").join(self._of_own(events, alias, dag_column="source_dag_id"))
        if "dagrun_dataset_event" not in self.plan.tables:
            return sql.SQL("({})").format(own)
        return sql.SQL("({} or {} in (select q.event_id from {} q join {} r on r.id = q.dag_run_id where {}))").format(
            own,
            identifiers.column(alias, "id"),
            self._table("dagrun_dataset_event"),
            self._table("dag_run"),
            self._of_run("r"),
        )

    def _of_own(self, table: Table, alias: str, dag_column: str = "dag_id") -> list[sql.Composable]:
        """By a row's own time and DAG."""
        conditions: list[sql.Composable] = []
        if self.dags is not None and dag_column in table.column_names:
            dag = identifiers.column(alias, dag_column)
            conditions.append(sql.SQL("({} is null or {})").format(dag, _dag_matches(dag, self.dags)))
        time = OWN_TIMES.get(table.name)
        if self.since is not None and time is not None and time in table.column_names:
            conditions.append(
                sql.SQL("({0} is null or {0} >= {1}::timestamptz)").format(
                    identifiers.column(alias, time), sql.Literal(self.since)
                )
            )
        return conditions


def read_cut(plan: ExportPlan, options: ExportOptions) -> HistoryCut:
    """The cut that the options ask for, in the export's transaction.

    Raises InvalidArguments for a regular expression that PostgreSQL does not take.
    """
    connection = plan.source.connection
    _check_expression(plan, options.dags)
    since = None
    if options.days is not None:
        since = fetch_value(connection, "select (now() - %s * interval '1 day')::text", (options.days,))
    dags = options.dags if options.dags != ALL_DAGS else None
    ours = sql.Literal(list(OWN_DAGS))
    query = sql.SQL("select exists (select 1 from {} where dag_id = any({}))")
    without_own_dags = any(
        fetch_value(connection, query.format(plan.source.table(name), ours))
        for name in TABLES_WITH_OWN_DAGS
        if name in plan.described
    )
    return HistoryCut(plan, since, dags, without_own_dags)


def _check_expression(plan: ExportPlan, dags: str) -> None:
    connection = plan.source.connection
    execute(connection, "savepoint expression")
    try:
        fetch_value(connection, "select '' ~ %s", (_whole(dags),))
    except InvalidRegularExpression as error:
        message = "PostgreSQL takes no such regular expression as --dags '{}': {}. Correct it."
        raise InvalidArguments(message.format(dags, str(error).strip())) from error


def _link_to_run(names: Container[str]) -> sql.Composable | None:
    if "dag_run_id" in names:
        return sql.SQL("r.id = t.dag_run_id")
    if "dag_id" in names and "run_id" in names:
        return sql.SQL("r.dag_id = t.dag_id and r.run_id = t.run_id")
    if "dag_id" in names and "execution_date" in names:
        return sql.SQL("r.dag_id = t.dag_id and r.execution_date = t.execution_date")
    return None


def _dag_matches(dag: sql.Composable, dags: str) -> sql.Composable:
    return sql.SQL("{} ~ {}").format(dag, sql.Literal(_whole(dags)))


def _whole(dags: str) -> str:
    """The expression, matched against the whole DAG id."""
    return "^(?:" + dags + ")$"


def _all_of(conditions: list[sql.Composable]) -> sql.Composable | None:
    return sql.SQL(" and ").join(conditions) if conditions else None
