"""Which rows go with a delta: those of the changed units, and those that they cannot do without.

* Of tables with runs: all rows of each changed run.
* Of tables in blocks: all rows of each changed block, and of each block to which a row of the delta has a reference
  that a constraint declares; the target's Airflow can have deleted what it leads to (a trigger that has fired).
* Of other tables: all rows if they are settings, or if other tables refer to them; otherwise the changed ones.
"""

from __future__ import annotations

from typing import Dict, Iterable, Mapping, Sequence, Set

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.tables import SETTINGS
from mwaa_migrator.airflow_schema.units import BLOCK, BLOCK_NUMBERS, ROW, RUN, Unit, unit_of
from mwaa_migrator.artifact.sums import Changes, Key
from mwaa_migrator.export.plan import ExportPlan
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.literal_rows import literal_rows
from mwaa_migrator.postgres.session import fetch_all


def changed_rows(plan: ExportPlan, changes: Changes) -> Dict[str, sql.Composable]:
    """The condition on alias ``t`` for the rows of each table that go; no condition where all do.

    Adds to ``changes`` the blocks that go with a row that refers to them.
    """
    units = {name: unit_of(table, plan.tables) for name, table in plan.tables.items()}
    parents = {
        parent for table in plan.tables.values() for parent in surrogate_references(table, plan.tables).values()
    } | {str(key.parent) for table in plan.tables.values() for key in table.foreign_keys}
    conditions: Dict[str, sql.Composable] = {}
    for name, unit in units.items():
        if unit.kind == RUN:
            assert unit.way is not None
            conditions[name] = unit.way.leads_to(plan.source.schema, literal_rows(sorted(changes.runs), 2))
        elif unit.kind == ROW and name not in SETTINGS and name not in parents:
            conditions[name] = is_one_of(unit.columns, changes.rows.get(name, set()))
    _add_blocks_referred_to(plan, units, conditions, changes)
    for name, unit in units.items():
        if unit.kind == BLOCK:
            conditions[name] = _in_blocks(unit.columns[0], changes.blocks.get(name, set()))
    return conditions


def is_one_of(columns: Sequence[str], keys: Iterable[Key]) -> sql.Composed:
    """The condition on ``t`` that its columns, as text, are one of ``keys``."""
    texts = [sql.SQL("{}::text").format(identifiers.column("t", column)) for column in columns]
    return sql.SQL("({}) in ({})").format(sql.SQL(", ").join(texts), literal_rows(sorted(keys), len(columns)))


def _in_blocks(column: str, blocks: Iterable[Key]) -> sql.Composed:
    numbers = sorted(int(number) for (number,) in blocks)
    return sql.SQL("({} / {}) = any({}::bigint[])").format(
        identifiers.column("t", column), sql.Literal(BLOCK_NUMBERS), sql.Literal(numbers)
    )


def _add_blocks_referred_to(
    plan: ExportPlan, units: Mapping[str, Unit], conditions: Mapping[str, sql.Composable], changes: Changes
) -> None:
    waiting: Set[str] = set(plan.tables)
    while waiting:
        table = plan.tables[waiting.pop()]
        for key in table.foreign_keys:
            parent = str(key.parent)
            if parent not in units or units[parent].kind != BLOCK or parent == table.name:
                continue
            blocks = changes.blocks.setdefault(parent, set())
            found = _blocks_referred_to(plan, table, units[table.name], key.columns[0], conditions, changes) - blocks
            blocks |= found
            if found:
                waiting.add(parent)


def _blocks_referred_to(
    plan: ExportPlan,
    table: Table,
    unit: Unit,
    column: str,
    conditions: Mapping[str, sql.Composable],
    changes: Changes,
) -> Set[Key]:
    condition = conditions.get(table.name)
    if unit.kind == BLOCK:
        condition = _in_blocks(unit.columns[0], changes.blocks.get(table.name, set()))
    query = sql.SQL("select distinct ({0} / {1})::text from {2} t where {0} is not null{3}").format(
        identifiers.column("t", column),
        sql.Literal(BLOCK_NUMBERS),
        plan.source.table(table.name),
        sql.SQL("") if condition is None else sql.SQL(" and ") + condition,
    )
    return {(number,) for (number,) in fetch_all(plan.source.connection, query)}
