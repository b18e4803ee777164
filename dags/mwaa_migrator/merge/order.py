"""The order in which tables are merged: parents before children, and what needs a DAG after the DAGs."""

from __future__ import annotations

from typing import List, NamedTuple

from mwaa_migrator.airflow_schema.references import undeclared_references
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, LOG_TEMPLATE_TABLE
from mwaa_migrator.postgres.catalog import Table


class MergeOrder(NamedTuple):
    """``log_templates`` come first, then ``without_dags``, the DAGs themselves, and ``of_dags``.

    From Airflow 3 on nearly all of a source's history is ``of_dags``: a task instance refers to a version of its DAG.
    """

    log_templates: List[str]
    without_dags: List[str]
    of_dags: List[str]

    @property
    def all(self) -> List[str]:
        """Parents before children."""
        return [*self.log_templates, *self.without_dags, *self.of_dags]


def merge_order(tables: dict[str, Table]) -> MergeOrder:
    parents = {}
    for name, table in tables.items():
        parents[name] = [key.parent for key in table.foreign_keys if key.parent is not None]
        parents[name] += undeclared_references(table).values()
    order = MergeOrder([], [], [])
    for name in in_foreign_key_order(parents):
        if name == LOG_TEMPLATE_TABLE:
            order.log_templates.append(name)
        elif {DAG_TABLE, *order.of_dags} & set(parents[name]):
            order.of_dags.append(name)
        else:
            order.without_dags.append(name)
    return order


def in_foreign_key_order(parents: dict[str, list[str]]) -> list[str]:
    """The tables, parents before children; ``parents`` maps each table to those that it refers to.

    References to the table itself, or to a table that is not in ``parents``, do not count. Airflow's schema has no
    cycles between tables; if a later one has, the tables of the cycle come last, by name.
    """
    ordered: list[str] = []
    waiting = sorted(parents)
    while waiting:
        ready = [
            table
            for table in waiting
            if all(parent == table or parent in ordered or parent not in parents for parent in parents[table])
        ]
        ready = ready or waiting
        ordered.extend(ready)
        waiting = [table for table in waiting if table not in ready]
    return ordered
