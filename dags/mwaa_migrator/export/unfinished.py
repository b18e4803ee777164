"""Which runs and task instances were unfinished when they were exported."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.export.unfinished_rules import MOST_LISTED, UNFINISHED
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import NUMBERS, Table
from mwaa_migrator.postgres.session import fetch_all, fetch_value


def unfinished(cut: HistoryCut) -> dict[str, Any]:
    """``{"dag_runs": n, "task_instances": n, "listed": {"dag_runs": [...], "task_instances": [...]}}``."""
    source = cut.plan.source
    found: dict[str, Any] = {"dag_runs": 0, "task_instances": 0, "listed": {}}
    for name, (is_unfinished, naming) in UNFINISHED.items():
        if name not in cut.plan.tables:
            continue
        table = cut.plan.tables[name]
        inside = cut.condition(table)
        condition: sql.Composable = sql.SQL(is_unfinished)
        if inside is not None:
            condition = sql.SQL("{} and {}").format(condition, inside)
        count = sql.SQL("select count(*) from {} t where {}").format(source.table(name), condition)
        found[name + "s"] = int(fetch_value(source.connection, count))
        columns = [column for column in naming if column in table.column_names]
        found["listed"][name + "s"] = []
        if not found[name + "s"]:
            continue
        # Without "offset 0" PostgreSQL would walk a whole table of finished rows in the order of an index.
        query = sql.SQL("select {} from (select * from {} t where {} offset 0) t order by t.dag_id, 2 limit {}").format(
            sql.SQL(", ").join([_readable(table, column) for column in columns]),
            source.table(name),
            condition,
            sql.Literal(MOST_LISTED),
        )
        found["listed"][name + "s"] = [dict(zip(columns, row)) for row in fetch_all(source.connection, query)]
    return found


def _readable(table: Table, column: str) -> sql.Composable:
    """PostgreSQL writes the times itself: it has years before 1 and infinity, and Python has neither."""
    value = identifiers.column("t", column)
    if table.column(column).type == "timestamp with time zone":
        return sql.SQL("replace({}::text, '+00', '+00:00')").format(value)
    return value if table.column(column).type in NUMBERS else sql.SQL("{}::text").format(value)
