"""The units that a delta replaces in the target, as conditions on the rows there."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import MADE_BY_AIRFLOW_TOO, identity_columns
from mwaa_migrator.airflow_schema.tables import RUN_TABLE
from mwaa_migrator.airflow_schema.units import ROW, RUN, Unit, is_in_blocks, is_one_of, unit_of
from mwaa_migrator.artifact.sums import Changes
from mwaa_migrator.merge.key_blocks import KeyBlocks
from mwaa_migrator.merge.merge_tables import CHANGED_RUNS
from mwaa_migrator.postgres import identifiers, temporary_tables
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.literal_rows import literal_rows
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


class GoneRows(NamedTuple):
    """``rows`` is a subquery for the identities of rows that are gone, in the source's numbers."""

    columns: Sequence[str]
    rows: sql.Composable


class ReplacedUnits:
    """Those of one delta, by the target's tables, in whose transaction it makes a temporary table of the runs."""

    def __init__(self, upgraded: UpgradedArtifact, changes: Changes) -> None:
        names = upgraded.names
        self._upgraded = upgraded
        self._blocks = {names[table]: keys for table, keys in changes.blocks.items()}
        self._rows = {names[table]: keys for table, keys in changes.rows.items()}
        self._gone_rows = {names[table]: sorted(keys) for table, keys in changes.gone_rows.items()}
        self._columns: dict[str, List[str]] = {
            names[table]: entry["columns"] for table, entry in upgraded.artifact.manifest["sums"]["tables"].items()
        }
        runs = sql.SQL("select r.* from ({}) r (dag_id, run_id)").format(literal_rows(sorted(changes.runs), 2))
        temporary_tables.create_from(upgraded.connection, CHANGED_RUNS, runs)
        temporary_tables.analyze(upgraded.connection, CHANGED_RUNS)

    def known_by(self, table: Table) -> Tuple[str, ...]:
        """By what a row of the delta finds the target's: its identity or, without one, the key that the base gave."""
        identity = identity_columns(table)
        if identity or table.surrogate_key is None or table.has_uuid_key:
            return identity
        return (table.surrogate_key,)

    def holds(self, table: Table) -> sql.Composable | None:
        """The condition that a translated row, alias ``x``, is of a changed unit; None if every row of the table is."""
        columns = self._columns.get(table.name, [])
        known = set(self._upgraded.scratch_tables[table.name].column_names)
        if self._unit(table).kind != ROW or not columns or not set(columns) <= known:
            return None
        return sql.SQL("exists (select from {} s where s.ctid = x.source_row and {})").format(
            self._upgraded.scratch.table(table.name), is_one_of("s", columns, self._rows.get(table.name, ()))
        )

    def of_runs(self, table: Table) -> sql.Composable | None:
        """The condition on ``t``, a row of the target, that it belongs to a changed run; None if rows have no run."""
        runs = sql.SQL("select dag_id, run_id from {}").format(CHANGED_RUNS)
        way = self._unit(table).way
        return None if way is None else way.leads_to(self._upgraded.target.schema, runs)

    def of_gone_runs(self, table: Table) -> sql.Composable | None:
        """The same for a run that the source has no more."""
        way = self._unit(table).way
        if way is None or RUN_TABLE not in self._upgraded.tables:
            return None
        gone = sql.SQL(
            "select c.dag_id, c.run_id from {} c "
            "where not exists (select from {} s where (s.dag_id, s.run_id) = (c.dag_id, c.run_id))"
        ).format(CHANGED_RUNS, self._upgraded.scratch.table(RUN_TABLE))
        return way.leads_to(self._upgraded.target.schema, gone)

    def in_blocks(self, table: Table, given: KeyBlocks) -> sql.Composable | None:
        """The condition on ``t`` that its number in the source is in a changed block; None if there is no such block.

        ``given`` are the blocks of numbers that the target gave.
        """
        changed = self._blocks.get(table.name)
        if not changed:
            return None
        key = given.number_in_source(identifiers.column("t", str(table.surrogate_key)))
        return is_in_blocks(key, changed)

    def gone_rows(self, table: Table) -> GoneRows | None:
        """None if there are none. What the target's Airflow makes as well stays, and what has other columns there."""
        keys, columns = self._gone_rows.get(table.name), self._columns.get(table.name, [])
        if not keys or table.name in MADE_BY_AIRFLOW_TOO or self._unit(table).kind == RUN:
            return None
        if not set(columns) <= set(table.column_names):
            return None
        values = [
            sql.SQL("g.{0}::{1} as {0}").format(sql.Identifier(column), sql.SQL(table.column(column).type))
            for column in columns
        ]
        query = sql.SQL("(select {} from ({}) g ({}))").format(
            sql.SQL(", ").join(values), literal_rows(keys, len(columns)), identifiers.columns(columns)
        )
        return GoneRows(columns, query)

    def _unit(self, table: Table) -> Unit:
        return unit_of(table, self._upgraded.target_tables)
