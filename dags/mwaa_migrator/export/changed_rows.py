"""Which rows go with a delta: those of the changed units, and those that they cannot do without.

* Of tables with runs: all rows of each changed run.
* Of tables in blocks: all rows of each changed block, and of each block to which a row of the delta has a reference
  that a constraint declares; the target's Airflow can have deleted what it leads to (a trigger that has fired).
* Of other tables: all rows if they are settings, or if other tables refer to them; otherwise the changed ones.
"""

from __future__ import annotations

from typing import Dict, Mapping, Set

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.tables import SETTINGS
from mwaa_migrator.airflow_schema.units import BLOCK, ROW, RUN, Unit, block_of, is_in_blocks, is_one_of, unit_of
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
    parents = _parents(plan)
    conditions: Dict[str, sql.Composable] = {}
    for name, unit in units.items():
        if unit.kind == RUN:
            assert unit.way is not None
            conditions[name] = unit.way.leads_to(plan.source.schema, literal_rows(sorted(changes.runs), 2))
        elif unit.kind == ROW and name not in SETTINGS and name not in parents:
            conditions[name] = is_one_of("t", unit.columns, changes.rows.get(name, set()))
    _add_blocks_referred_to(plan, units, conditions, changes)
    for name, unit in units.items():
        if unit.kind == BLOCK:
            conditions[name] = is_in_blocks(identifiers.column("t", unit.columns[0]), changes.blocks.get(name, ()))
    return conditions


def chosen_units(plan: ExportPlan, changes: Changes) -> Dict[str, Set[Key]]:
    """The units whose rows ``changed_rows`` has chosen, by table, but for tables of which all rows go."""
    parents = _parents(plan)
    chosen: Dict[str, Set[Key]] = {}
    for name, table in plan.tables.items():
        kind = unit_of(table, plan.tables).kind
        if kind == RUN:
            chosen[name] = changes.runs
        elif kind == BLOCK:
            chosen[name] = changes.blocks.get(name, set())
        elif name not in SETTINGS and name not in parents:
            chosen[name] = changes.rows.get(name, set())
    return chosen


def _parents(plan: ExportPlan) -> Set[str]:
    """The tables to which others refer."""
    tables = plan.tables.values()
    by_number = {parent for table in tables for parent in surrogate_references(table, plan.tables).values()}
    return by_number | {str(key.parent) for table in tables for key in table.foreign_keys}


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
        condition = is_in_blocks(identifiers.column("t", unit.columns[0]), changes.blocks.get(table.name, ()))
    number = identifiers.column("t", column)
    query = sql.SQL("select distinct {}::text from {} t where {} is not null{}").format(
        block_of(number),
        plan.source.table(table.name),
        number,
        sql.SQL("") if condition is None else sql.SQL(" and ") + condition,
    )
    return {(number,) for (number,) in fetch_all(plan.source.connection, query)}
