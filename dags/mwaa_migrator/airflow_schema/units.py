"""The units in which a table's rows are summed and moved again: runs, blocks of numbers, or single rows.

* Rows that belong to a run are one unit with it. The way from a row to its run is read from the foreign keys; where a
  restore has lost them, columns of the same names that are never NULL serve.
* Of the other tables, those whose rows have nothing but a number (``log``, ``job``, events) come in blocks of numbers:
  the rows of a block are compared whole. A row that was committed late changes its block whatever its number is.
* In the tables that are left (settings above all) each row is a unit, known by its identity.
"""

from __future__ import annotations

from typing import Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.references import undeclared_references
from mwaa_migrator.airflow_schema.tables import RUN_TABLE, SETTINGS
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.literal_rows import literal_rows

RUN, BLOCK, ROW = "run", "block", "row"

#: Numbers in a block: few enough to send a block again for one row, so many that a million rows have a thousand blocks.
BLOCK_NUMBERS = 1000

#: What a run is known by, in every table.
RUN_COLUMNS = ("dag_id", "run_id")


class Join(NamedTuple):
    """From the columns of ``child``, an alias, to those of the table that becomes ``alias``."""

    child: str
    columns: Tuple[str, ...]
    table: str
    alias: str
    parent_columns: Tuple[str, ...]


class WayToRun(NamedTuple):
    """After ``joins`` from a row, alias ``t``, the ``columns`` of ``alias`` are the run's ``dag_id`` and ``run_id``."""

    joins: Tuple[Join, ...]
    alias: str
    columns: Tuple[str, ...]

    def names(self) -> sql.Composed:
        """The run's ``dag_id`` and ``run_id``, in SQL."""
        return identifiers.columns(self.columns, self.alias)

    def joined(self, schema: str) -> sql.Composable:
        """The joins, in SQL, to come after ``from ... t``."""
        return sql.SQL("").join([_join(schema, join) for join in self.joins])

    def leads_to(self, schema: str, runs: sql.Composable) -> sql.Composable:
        """The condition on ``t`` that its run is one of ``runs``, a subquery for ``dag_id, run_id``."""
        if not self.joins:
            return sql.SQL("({}) in ({})").format(self.names(), runs)
        first, *further = self.joins
        return sql.SQL("exists (select from {} {}{} where ({}) = ({}) and ({}) in ({}))").format(
            identifiers.qualified(schema, first.table),
            sql.Identifier(first.alias),
            sql.SQL("").join([_join(schema, join) for join in further]),
            identifiers.columns(first.parent_columns, first.alias),
            identifiers.columns(first.columns, first.child),
            self.names(),
            runs,
        )


def _join(schema: str, join: Join) -> sql.Composed:
    return sql.SQL(" join {} {} on ({}) = ({})").format(
        identifiers.qualified(schema, join.table),
        sql.Identifier(join.alias),
        identifiers.columns(join.parent_columns, join.alias),
        identifiers.columns(join.columns, join.child),
    )


def way_to_run(table: Table, tables: Mapping[str, Table]) -> WayToRun | None:
    """How a row of ``table`` leads to its run; None if its rows need not belong to one."""
    return _way(table, tables, ())


def _way(table: Table, tables: Mapping[str, Table], passed: Sequence[str]) -> WayToRun | None:
    if table.name == RUN_TABLE:
        return WayToRun((), "t", RUN_COLUMNS)
    ways: List[WayToRun] = []
    for columns, parent, parent_columns in _references(table, tables):
        if parent.name in (table.name, *passed):
            continue
        further = _way(parent, tables, (*passed, table.name))
        if further is None:
            continue
        if not further.joins and set(further.columns) <= set(parent_columns):
            own = dict(zip(parent_columns, columns))
            return WayToRun((), "t", tuple(own[name] for name in further.columns))
        ways.append(_prolonged(columns, parent.name, parent_columns, further))
    if all(name in table.column_names and table.column(name).not_null for name in RUN_COLUMNS):
        return WayToRun((), "t", RUN_COLUMNS)
    return min(ways, key=lambda way: len(way.joins)) if ways else None


def _prolonged(columns: Sequence[str], parent: str, parent_columns: Sequence[str], further: WayToRun) -> WayToRun:
    """The way that begins with this reference."""
    alias = f"way_{len(further.joins)}"
    joins = [Join("t", tuple(columns), parent, alias, tuple(parent_columns))]
    joins += [join._replace(child=alias if join.child == "t" else join.child) for join in further.joins]
    return WayToRun(tuple(joins), alias if further.alias == "t" else further.alias, further.columns)


def _references(table: Table, tables: Mapping[str, Table]) -> Iterator[Tuple[Sequence[str], Table, Sequence[str]]]:
    """Columns, parent and its columns of the references that every row has."""
    for key in table.foreign_keys:
        if key.parent in tables and all(table.column(column).not_null for column in key.columns):
            yield key.columns, tables[str(key.parent)], key.parent_columns
    for column, name in sorted(undeclared_references(table).items()):
        if name in tables and table.column(column).not_null:
            yield (column,), tables[name], tables[name].primary_key


def block_of(number: sql.Composable) -> sql.Composed:
    """The block of a number, in SQL."""
    return sql.SQL("({} / {})").format(number, sql.Literal(BLOCK_NUMBERS))


def is_in_blocks(number: sql.Composable, blocks: Iterable[Sequence[str]]) -> sql.Composed:
    """The condition that a number's block is one of ``blocks``, each known by its number as text."""
    numbers = sorted(int(block) for (block,) in blocks)
    return sql.SQL("({} = any({}::bigint[]))").format(block_of(number), sql.Literal(numbers))


def is_one_of(alias: str, columns: Sequence[str], keys: Iterable[Sequence[str]]) -> sql.Composed:
    """The condition on ``alias`` that its columns, as text, are one of ``keys``."""
    texts = [sql.SQL("{}::text").format(identifiers.column(alias, column)) for column in columns]
    return sql.SQL("({}) in ({})").format(sql.SQL(", ").join(texts), literal_rows(sorted(keys), len(columns)))


class Unit(NamedTuple):
    """``kind`` is RUN, BLOCK or ROW, ``columns`` what a unit is known by. Rows of a RUN have a ``way`` to it."""

    kind: str
    columns: Tuple[str, ...]
    way: WayToRun | None = None

    def key(self, alias: str) -> sql.Composable:
        """What the unit of a row is known by, in SQL; of a RUN by its way, which begins with ``t``."""
        if self.way is not None:
            return self.way.names()
        if self.kind == BLOCK:
            return block_of(identifiers.column(alias, self.columns[0]))
        return identifiers.columns(self.columns, alias)


def unit_of(table: Table, tables: Mapping[str, Table]) -> Unit:
    way = way_to_run(table, tables)
    if way is not None:
        return Unit(RUN, RUN_COLUMNS, way)
    identity = identity_columns(table)
    if not identity and table.surrogate_key is not None and not table.has_uuid_key:
        return Unit(BLOCK, (table.surrogate_key,))
    can_be_null = table.name not in SETTINGS and not all(table.column(column).not_null for column in identity)
    return Unit(ROW, identity if identity and not can_be_null else table.primary_key)
