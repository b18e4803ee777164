"""Cuts history by age and by DAG, so that a child row goes only with its run.

A run is inside the cut if its DAG id matches and it is unfinished or ended within the wanted days (without an end, its
start counts; without that, its execution date). Rows that belong to a run follow it, by ``run_id`` or, before Airflow
2.2, by ``execution_date``; rows that belong to such a row (a note to its task instance) follow that. Rows that belong
to no run (events of the web UI, jobs, asset events) are cut by their own time and DAG. Settings and versions of DAGs
are never cut by time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Mapping, Sequence

from psycopg2 import sql
from psycopg2.errors import InvalidRegularExpression

from mwaa_migrator.airflow_schema.references import undeclared_references
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS, TABLES_WITH_OWN_DAGS
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.export.cut_rules import EVENTS, FINISHED_STATES, OWN_TIMES, RUN_TIMES, WAITED_FOR
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.plan import ExportPlan
from mwaa_migrator.options import ALL_DAGS
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute, fetch_value

_FINISHED = sql.SQL("({})").format(sql.SQL(", ").join([sql.Literal(state) for state in FINISHED_STATES]))


@dataclass(frozen=True)
class HistoryCut:
    """History since ``since`` (None: all) of the DAGs whose id matches ``dags``, a PostgreSQL regular expression.

    ``since`` is a time and not a number of days, because every copying process must cut at the same instant.
    ``without_own_dags`` leaves out what our own DAGs left in the source; it is false if there is nothing of them.
    ``set_aside`` has a condition, by table, for rows that stay behind because Airflow's migrations do not take them,
    ``changed`` the condition under which a row goes with a delta.
    """

    plan: ExportPlan
    since: str | None
    dags: str | None
    without_own_dags: bool
    set_aside: Mapping[str, sql.Composable] = field(default_factory=dict)
    changed: Mapping[str, sql.Composable] = field(default_factory=dict)

    def condition(self, table: Table) -> sql.Composable | None:
        """The condition on alias ``t`` under which a row of ``table`` is inside the cut; None if all rows are."""
        conditions = [self._without_own_dags(table), self._history(table)]
        if table.name in self.set_aside:
            conditions.append(sql.SQL("not coalesce({}, false)").format(self.set_aside[table.name]))
        if table.name in self.changed:
            conditions.append(self.changed[table.name])
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
        for key in table.foreign_keys:
            parent = self.plan.tables.get(str(key.parent))
            if parent is not None and parent.name != DAG_TABLE and "dag_id" in parent.column_names:
                belongs = sql.SQL("not exists (select 1 from {} p where ({}) = ({}) and p.dag_id in ({}))")
                theirs, mine = identifiers.columns(key.parent_columns, "p"), identifiers.columns(key.columns, "t")
                return belongs.format(self._table(parent.name), theirs, mine, ours)
        return None

    def _history(self, table: Table) -> sql.Composable | None:
        if self.since is None and self.dags is None:
            return None
        tables = self.plan.tables
        if table.name == "dag_run":
            return self._of_run("t")
        if "dag_run" in tables and table.name not in OWN_TIMES:
            link = _link_to_run(table)
            if link is not None:
                return sql.SQL("exists (select 1 from {} r where {} and {})").format(
                    self._table("dag_run"), link, self._of_run("r")
                )
        if table.name in EVENTS:
            return self._of_event(table)
        waiting = [(name, column) for name, column in WAITED_FOR.get(table.name, ()) if self._has(name, column)]
        if waiting:
            return sql.SQL("({})").format(sql.SQL(" or ").join([self._is_waited_for(*one) for one in waiting]))
        return _all_of(self._of_own(table) + self._of_parents(table))

    def _has(self, table: str, column: str) -> bool:
        return table in self.plan.tables and column in self.plan.tables[table].column_names

    def _is_waited_for(self, table: str, column: str) -> sql.Composable:
        inside = self._history(self.plan.tables[table])
        return sql.SQL("t.id in (select t.{0} from {1} t where t.{0} is not null and {2})").format(
            sql.Identifier(column), self._table(table), inside or sql.SQL("true")
        )

    def _of_parents(self, table: Table) -> list[sql.Composable]:
        """By the rows that its references lead to: each of them must be inside, where there is one."""
        conditions: list[sql.Composable] = []
        for columns, parent, parent_columns in self._references(table):
            inside = self._history(parent) if parent.name not in (table.name, *WAITED_FOR) else None
            if inside is not None:
                # The inner t is the parent, as in its condition.
                query = "({0} is null or ({1}) in (select {2} from {3} t where {4}))"
                first, ours = identifiers.column("t", columns[0]), identifiers.columns(columns, "t")
                theirs = identifiers.columns(parent_columns, "t")
                conditions.append(sql.SQL(query).format(first, ours, theirs, self._table(parent.name), inside))
        return conditions

    def _references(self, table: Table) -> Iterator[tuple[Sequence[str], Table, Sequence[str]]]:
        """Columns, parent and its columns of each reference whose parent is exported."""
        tables = self.plan.tables
        for key in table.foreign_keys:
            if key.parent in tables:
                yield key.columns, tables[key.parent], key.parent_columns
        for column, parent in undeclared_references(table).items():
            if parent in tables:
                yield (column,), tables[parent], tables[parent].primary_key

    def _table(self, name: str) -> sql.Identifier:
        return self.plan.source.table(name)

    def _of_run(self, alias: str) -> sql.Composable:
        conditions: list[sql.Composable] = []
        if self.dags is not None:
            conditions.append(_dag_matches(identifiers.column(alias, "dag_id"), self.dags))
        if self.since is not None:
            columns = [name for name in RUN_TIMES if name in self.plan.tables["dag_run"].column_names]
            conditions.append(
                sql.SQL("(coalesce({}, '') not in {} or coalesce({}) >= {}::timestamptz)").format(
                    identifiers.column(alias, "state"),
                    _FINISHED,
                    identifiers.columns(columns, alias),
                    sql.Literal(self.since),
                )
            )
        return sql.SQL(" and ").join(conditions)

    def _of_event(self, events: Table) -> sql.Composable:
        """Events by their own time and DAG, and those that a run inside the cut consumed."""
        own = sql.SQL(" and ").join(self._of_own(events, dag_column="source_dag_id"))
        if EVENTS[events.name] not in self.plan.tables:
            return sql.SQL("({})").format(own)
        return sql.SQL(
            "({} or t.id in (select q.event_id from {} q join {} r on r.id = q.dag_run_id where {}))"
        ).format(
            own,
            self._table(EVENTS[events.name]),
            self._table("dag_run"),
            self._of_run("r"),
        )

    def _of_own(self, table: Table, dag_column: str = "dag_id") -> list[sql.Composable]:
        """By a row's own time and DAG."""
        conditions: list[sql.Composable] = []
        if self.dags is not None and dag_column in table.column_names:
            dag = identifiers.column("t", dag_column)
            conditions.append(sql.SQL("({} is null or {})").format(dag, _dag_matches(dag, self.dags)))
        time = OWN_TIMES.get(table.name)
        if self.since is not None and time is not None and time in table.column_names:
            conditions.append(
                sql.SQL("({0} is null or {0} >= {1}::timestamptz)").format(
                    identifiers.column("t", time), sql.Literal(self.since)
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


def _link_to_run(table: Table) -> sql.Composable | None:
    names = table.column_names
    # A date of a backfill may have no run.
    if "dag_run_id" in names and table.column("dag_run_id").not_null:
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
