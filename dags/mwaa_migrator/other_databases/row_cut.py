"""Which rows go: the cut of ``export/history_cut.py``, which says what it means, in SQL that SQLite and MySQL take.

Which DAGs match is decided here and not in the database: SQLite has no regular expressions, and MySQL's are not
PostgreSQL's either.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from mwaa_migrator.airflow_schema.references import undeclared_references
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS, RUN_TABLE, TABLES_WITH_OWN_DAGS
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.export.cut_rules import EVENTS, FINISHED_STATES, OWN_TIMES, RUN_TIMES, WAITED_FOR
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.options import ALL_DAGS
from mwaa_migrator.other_databases.source import as_text, column_of, literal, name
from mwaa_migrator.other_databases.source_plan import SourcePlan
from mwaa_migrator.postgres.catalog import Table


@dataclass(frozen=True)
class RowCut:
    """History since ``since`` (None: all), a time as SQL compares it, of ``dags`` (None: all).

    ``set_aside`` has a condition, by table, for rows that stay behind.
    """

    plan: SourcePlan
    since: str | None
    dags: Sequence[str] | None
    without_own_dags: bool
    set_aside: Mapping[str, str] = field(default_factory=dict)

    def condition(self, table: Table) -> str | None:
        """The condition on alias ``t`` under which a row of ``table`` is inside the cut; None if all rows are."""
        conditions = [self._without_own_dags(table), self._history(table)]
        if table.name in self.set_aside:
            conditions.append(f"not coalesce(({self.set_aside[table.name]}), 0)")
        return _all_of([condition for condition in conditions if condition is not None])

    def _without_own_dags(self, table: Table) -> str | None:
        if not self.without_own_dags:
            return None
        ours = _texts(OWN_DAGS)
        if "dag_id" in table.column_names:
            return f"coalesce(t.dag_id, '') not in ({ours})"
        if "dag_run_id" in table.column_names:
            their_run = f"select 1 from dag_run r where r.id = t.dag_run_id and r.dag_id in ({ours})"  # nosec B608
            return f"not exists ({their_run})"
        for key in table.foreign_keys:
            parent = self.plan.tables.get(str(key.parent))
            if parent is not None and parent.name != DAG_TABLE and "dag_id" in parent.column_names:
                same = _same("p", key.parent_columns, "t", key.columns)
                theirs = f"select 1 from {name(parent.name)} p where {same} and p.dag_id in ({ours})"  # nosec B608
                return f"not exists ({theirs})"
        return None

    def _history(self, table: Table) -> str | None:
        if self.since is None and self.dags is None:
            return None
        tables = self.plan.tables
        if table.name == RUN_TABLE:
            return self._of_run("t")
        if RUN_TABLE in tables and table.name not in OWN_TIMES:
            link = _link_to_run(table)
            if link is not None:
                return f"exists (select 1 from dag_run r where {link} and {self._of_run('r')})"  # nosec B608
        if table.name in EVENTS:
            return self._of_event(table)
        waiting = [(one, column) for one, column in WAITED_FOR.get(table.name, ()) if self._has(one, column)]
        if waiting:
            return "({})".format(" or ".join(self._is_waited_for(*one) for one in waiting))
        return _all_of(self._of_own(table) + self._of_parents(table))

    def _has(self, table: str, column: str) -> bool:
        return table in self.plan.tables and column in self.plan.tables[table].column_names

    def _is_waited_for(self, table: str, column: str) -> str:
        inside = self._history(self.plan.tables[table]) or "1 = 1"
        number = column_of("t", column)
        return f"t.id in (select {number} from {name(table)} t where {number} is not null and {inside})"  # nosec B608

    def _of_parents(self, table: Table) -> List[str]:
        """By the rows that its references lead to: each of them must be inside, where there is one."""
        conditions: List[str] = []
        for columns, parent, parent_columns in self._references(table):
            inside = self._history(parent) if parent.name not in (table.name, *WAITED_FOR) else None
            if inside is not None:
                # The inner t is the parent, as in its condition.
                theirs = ", ".join(column_of("t", column) for column in parent_columns)
                ours = ", ".join(column_of("t", column) for column in columns)
                conditions.append(
                    f"({column_of('t', columns[0])} is null or "  # nosec B608
                    f"({ours}) in (select {theirs} from {name(parent.name)} t where {inside}))"
                )
        return conditions

    def _references(self, table: Table) -> Iterator[Tuple[Sequence[str], Table, Sequence[str]]]:
        """Columns, parent and its columns of each reference whose parent is exported."""
        tables = self.plan.tables
        for key in table.foreign_keys:
            if key.parent in tables:
                yield key.columns, tables[str(key.parent)], key.parent_columns
        for column, parent in undeclared_references(table).items():
            if parent in tables:
                yield (column,), tables[parent], tables[parent].primary_key

    def _of_run(self, alias: str) -> str:
        conditions: List[str] = []
        if self.dags is not None:
            conditions.append(self._is_one_of_the_dags(column_of(alias, "dag_id")))
        if self.since is not None:
            names = self.plan.tables[RUN_TABLE].column_names
            times = ", ".join(column_of(alias, one) for one in RUN_TIMES if one in names)
            conditions.append(
                f"(coalesce({column_of(alias, 'state')}, '') not in ({_texts(FINISHED_STATES)}) "
                f"or coalesce({times}) >= {literal(self.since)})"
            )
        return " and ".join(conditions)

    def _of_event(self, events: Table) -> str:
        """Events by their own time and DAG, and those that a run inside the cut consumed."""
        own = " and ".join(self._of_own(events, dag_column="source_dag_id"))
        consumed = EVENTS[events.name]
        if consumed not in self.plan.tables:
            return f"({own})"
        return (
            f"({own} or t.id in (select q.event_id from {name(consumed)} q join dag_run r on r.id = q.dag_run_id "
            f"where {self._of_run('r')}))"  # nosec B608
        )

    def _of_own(self, table: Table, dag_column: str = "dag_id") -> List[str]:
        """By a row's own time and DAG."""
        conditions: List[str] = []
        if self.dags is not None and dag_column in table.column_names:
            dag = column_of("t", dag_column)
            conditions.append(f"({dag} is null or {self._is_one_of_the_dags(dag)})")
        own_time = OWN_TIMES.get(table.name)
        if self.since is not None and own_time is not None and own_time in table.column_names:
            at = column_of("t", own_time)
            conditions.append(f"({at} is null or {at} >= {literal(self.since)})")
        return conditions

    def _is_one_of_the_dags(self, dag: str) -> str:
        return f"{self.plan.source.exactly(dag)} in ({_texts(self.dags or [''])})"


def read_cut(plan: SourcePlan, options: ExportOptions) -> RowCut:
    """The cut that the options ask for; raises InvalidArguments for a regular expression that Python does not take."""
    source = plan.source
    since = None
    if options.days is not None:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(source.snapshot_time - options.days * 86400))
    dags = None
    if options.dags != ALL_DAGS:
        try:
            expression = re.compile(options.dags)
        except re.error as error:
            raise InvalidArguments(
                f"'{options.dags}' is no regular expression for --dags: {error}. Correct it."
            ) from error
        dags = sorted(dag for dag in _dag_ids(plan) if expression.fullmatch(dag))
    ours = _texts(OWN_DAGS)
    without_own_dags = any(
        source.value(f"select count(*) from {name(table)} where dag_id in ({ours})")  # nosec B608
        for table in TABLES_WITH_OWN_DAGS
        if table in source.columns
    )
    return RowCut(plan, since, dags, without_own_dags)


def _dag_ids(plan: SourcePlan) -> Set[str]:
    """All DAGs of which there is a row."""
    columns: Dict[str, str] = {
        table.name: column
        for table in plan.tables.values()
        for column in ("source_dag_id", "dag_id")
        if column in table.column_names
    }
    found: Set[str] = set()
    for table, column in columns.items():
        rows = plan.source.query(f"select distinct {name(column)} from {name(table)}")  # nosec B608
        found.update(str(as_text(dag)) for (dag,) in rows if dag is not None)
    return found


def _link_to_run(table: Table) -> str | None:
    names = table.column_names
    # A date of a backfill may have no run.
    if "dag_run_id" in names and table.column("dag_run_id").not_null:
        return "r.id = t.dag_run_id"
    if "dag_id" in names and "run_id" in names:
        return "r.dag_id = t.dag_id and r.run_id = t.run_id"
    if "dag_id" in names and "execution_date" in names:
        return "r.dag_id = t.dag_id and r.execution_date = t.execution_date"
    return None


def _same(alias: str, columns: Sequence[str], other: str, other_columns: Sequence[str]) -> str:
    pairs = zip(columns, other_columns)
    return " and ".join(f"{column_of(alias, one)} = {column_of(other, two)}" for one, two in pairs)


def _texts(texts: Sequence[str]) -> str:
    return ", ".join(literal(text) for text in texts)


def _all_of(conditions: List[str]) -> str | None:
    return " and ".join(conditions) if conditions else None
