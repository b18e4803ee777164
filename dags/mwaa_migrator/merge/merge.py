"""Merge: the upgraded rows go from the scratch schema into the target's tables, in one transaction.

Tables are taken parents first. Each has one row source, its *translation*: the scratch table with its surrogate keys
renumbered and its references carried along. Rows that the target has already (the same identity) are *kept* as the
target has them, or overwritten, or make the merge fail, as asked. Rows whose parent is not in the target are *set
aside*. All others are inserted. What was written is read back and compared with what should have been written, before
the transaction commits.
"""

from __future__ import annotations

import time
from typing import Any, Dict, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, LOG_TEMPLATE_TABLE
from mwaa_migrator.artifact.sums import read_changes
from mwaa_migrator.comparison.comparable_rows import ComparableRows
from mwaa_migrator.errors import ContentDiffers, RowsUnaccounted
from mwaa_migrator.merge import bulk
from mwaa_migrator.merge.archives import carry_archives
from mwaa_migrator.merge.base_keys import note_kept_keys, use_keys_of_base
from mwaa_migrator.merge.dag_versions import TargetDagVersions
from mwaa_migrator.merge.deletions import Deletions
from mwaa_migrator.merge.key_blocks import KeyBlocks
from mwaa_migrator.merge.log_templates import TargetLogTemplates, default_log_filename
from mwaa_migrator.merge.merge_tables import ROWS_NOT_INSERTED
from mwaa_migrator.merge.order import merge_order
from mwaa_migrator.merge.pause_states import add_dags_of_versions, apply_pause_states, carry_schedules, lock_dags
from mwaa_migrator.merge.receipts import note_not_written
from mwaa_migrator.merge.replaced_units import ReplacedUnits
from mwaa_migrator.merge.rows_not_inserted import DIFFERS, SAME, NotInserted, RowsNotInserted
from mwaa_migrator.merge.target_objects import TargetObjects
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.merge.unfit_rows import require_fit
from mwaa_migrator.merge.version_numbers import has_versions, keep_latest, make_room
from mwaa_migrator.options import OVERWRITE
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import Checksum, checksum
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


class TableResult(NamedTuple):
    """What became of a table's rows: exported = merged + kept + set_aside.

    ``overwritten`` rows count as merged, ``kept_differing`` as kept. The checksums are over the merged rows.
    """

    exported: int
    merged: int
    kept: int
    set_aside: int
    set_aside_reasons: Dict[str, int]
    overwritten: int = 0
    kept_differing: int = 0
    checksum_source: str = "0"
    checksum_target: str = "0"
    match: bool = True


class MergeResult(NamedTuple):
    """``pause_state`` has the choice, and what ``apply_pause_states`` returned.

    ``given_dag_version`` counts the source's task instances that have a DAG version of the target's now; ``deleted``,
    by table, the rows that a delta no longer has.
    """

    tables: Dict[str, TableResult]
    pause_state: Dict[str, Any]
    given_dag_version: int
    deleted: Dict[str, int]


class Merge:
    """One merge, inside a transaction that the caller has begun and will commit or roll back."""

    def __init__(
        self,
        upgraded: UpgradedArtifact,
        blocks: dict[str, KeyBlocks],
        on_conflict: str,
        progress: Progress,
        chain: Sequence[str] = (),
    ) -> None:
        """``chain`` are the artifacts that a delta follows, the last one first."""
        self._upgraded = upgraded
        self._connection = upgraded.connection
        self._progress = progress
        self._algorithm = upgraded.target.checksum_algorithm
        self._log_templates = TargetLogTemplates(upgraded.scratch)
        self._dag_versions = TargetDagVersions(upgraded)
        self._translation = Translation(upgraded, blocks, self._log_templates, self._dag_versions)
        self._has_sums = "sums" in upgraded.artifact.manifest
        self._deletions = None
        replaced = None
        if chain:
            replaced = ReplacedUnits(upgraded, read_changes(upgraded.artifact))
            self._deletions = Deletions(upgraded, replaced, self._translation, blocks)
            use_keys_of_base(upgraded, self._translation, chain)
        self._rows_not_inserted = RowsNotInserted(upgraded, self._translation, on_conflict, replaced)
        self._target_objects = TargetObjects(self._connection, upgraded.target.schema)

    def run(self, pause_state: str, in_bulk: Sequence[str]) -> MergeResult:
        """Merge everything; if it raises, nothing may be committed.

        Raises RowsDoNotFit, RowsConflict, RowsUnaccounted or ContentDiffers.

        ``in_bulk`` are the tables that are merged without their indexes.
        """
        require_fit(self._upgraded, self._translation)
        order = merge_order(self._upgraded.tables)
        dropped = bulk.drop_indexes(self._upgraded, in_bulk)
        if dropped is None:
            self._progress.say("merge: other objects depend on the target's keys; rows are merged one by one")
            in_bulk, dropped = [], bulk.Dropped([], [], [])
        if self._deletions is not None:
            self._deletions.of_gone_runs(order)
        # 1. Rows that need no DAG. Log templates come first, and with them the one that old runs refer to.
        results = self._merge_tables(order.log_templates, in_bulk)
        if self._merges_references_to(LOG_TEMPLATE_TABLE):
            self._log_templates.add_default()
        results.update(self._merge_tables(order.without_dags, in_bulk))
        # 2. The DAGs. The target's scheduler wants these rows as well, so they are locked as late as they can be.
        states = self._merge_dags(pause_state)
        # 3. Rows that need DAGs, or versions of them.
        if has_versions(self._upgraded):
            make_room(self._upgraded)
        results.update(self._merge_tables(order.of_dags, in_bulk))
        if has_versions(self._upgraded):
            keep_latest(self._upgraded)
        if self._deletions is not None:
            self._deletions.of_what_else_is_gone(order)
        carry_archives(self._upgraded)
        self._make_indexes_again(dropped)
        self._log_templates.keep_newest()
        results.update(self._tables_without_a_place())
        deleted = {} if self._deletions is None else self._deletions.counts
        return MergeResult(results, states, self._dag_versions.count_given(), deleted)

    def _merges_references_to(self, parent: str) -> bool:
        return any(
            self._upgraded.rows[name] and parent in surrogate_references(table, self._upgraded.target_tables).values()
            for name, table in self._upgraded.tables.items()
        )

    def _merge_tables(self, names: Sequence[str], in_bulk: Sequence[str]) -> dict[str, TableResult]:
        results = {}
        for name in names:
            begun = time.monotonic()
            # An index grows fastest at its end. Without one, the order costs a sort and gains nothing.
            with self._target_objects.named_refusals(name):
                results[name] = self._merge_table(self._upgraded.tables[name], in_key_order=name not in in_bulk)
            note = f"{results[name].kept:,} kept, {results[name].set_aside:,} set aside"
            self._progress.table("merge", name, results[name].merged, time.monotonic() - begun, note=note)
        return results

    def _merge_dags(self, pause_state: str) -> dict[str, Any]:
        if DAG_TABLE not in self._upgraded.exported:
            return {"choice": pause_state}
        lock_dags(self._upgraded)
        states = apply_pause_states(self._upgraded, pause_state)
        if has_versions(self._upgraded):
            add_dags_of_versions(self._upgraded, pause_state)
        carry_schedules(self._upgraded)
        return dict(states, choice=pause_state)

    def _make_indexes_again(self, dropped: bulk.Dropped) -> None:
        begun = time.monotonic()
        made = bulk.make_indexes_again(self._upgraded, dropped)
        if made:
            seconds = time.monotonic() - begun
            self._progress.say(f"merge: {made} keys, indexes and foreign keys made again in {seconds:.1f} s")

    def _tables_without_a_place(self) -> dict[str, TableResult]:
        """Tables with rows that the target does not have."""
        results = {}
        for name, rows in self._upgraded.exported.items():
            if name not in self._upgraded.tables and name != DAG_TABLE and rows:
                reason = {"the target's Airflow has no such table": rows}
                results[name] = TableResult(rows, 0, 0, rows, reason)
        return results

    def _merge_table(self, table: Table, in_key_order: bool) -> TableResult:
        exported = self._upgraded.exported[table.name]
        reasons = {reason: rows for reason, rows in self._upgraded.set_aside.get(table.name, {}).items() if rows}
        if self._deletions is not None:
            self._deletions.of_runs(table)
        if not self._upgraded.rows[table.name]:
            return TableResult(exported, 0, 0, sum(reasons.values()), reasons)
        source = self._translation.rows(table)
        others = self._rows_not_inserted.collect(table, source)
        if self._has_sums and others.any and table.surrogate_key:
            moved = self._translation.moved(table, sql.Identifier("source_key"))
            note_kept_keys(self._connection, self._upgraded.artifact.id, table.name, moved)
        if others.overwritten:
            self._rows_not_inserted.overwrite(table, source)
        merged = self._insert(table, source, others, in_key_order) + others.overwritten
        reasons.update(others.set_aside)
        set_aside = sum(reasons.values())
        if exported != merged + others.kept + set_aside:
            message = (
                "{}: {} rows were exported; {} merged, {} kept and {} set aside do not add up to that. Nothing was "
                "merged. {}"
            )
            look = self._target_objects.where_to_look(table.name)
            raise RowsUnaccounted(message.format(table.name, exported, merged, others.kept, set_aside, look))
        if others.kept_differing or others.set_aside:
            self._note_not_written(table)
        expected, actual = self._checksums(table, source, others)
        if expected != actual:
            message = (
                "{}: the merged rows have checksum {} ({} rows), and should have {} ({} rows). Nothing was merged. {}"
            )
            look = self._target_objects.where_to_look(table.name)
            raise ContentDiffers(
                message.format(table.name, actual.value, actual.rows, expected.value, expected.rows, look)
            )
        return TableResult(
            exported,
            merged,
            others.kept,
            set_aside,
            reasons,
            others.overwritten,
            others.kept_differing,
            expected.value,
            actual.value,
        )

    def _insert(self, table: Table, source: sql.Composed, others: NotInserted, in_key_order: bool) -> int:
        condition: sql.Composable = sql.SQL("")
        if others.any:
            condition = sql.SQL("where x.source_row not in (select source_row from {})").format(ROWS_NOT_INSERTED)
        order: sql.Composable = sql.SQL("")
        if in_key_order and table.primary_key:
            order = sql.SQL("order by {}").format(identifiers.columns(table.primary_key, "x"))
        return execute(
            self._connection,
            sql.SQL("insert into {} ({}) overriding system value select {} from {} x {} {}").format(
                self._upgraded.target.table(table.name),
                identifiers.columns(table.column_names),
                identifiers.columns(table.column_names, "x"),
                source,
                condition,
                order,
            ),
        )

    def _note_not_written(self, table: Table) -> None:
        rows = ComparableRows(self._upgraded, table, default_log_filename(self._upgraded.scratch))
        query = sql.SQL(
            "select s.identity, s.content, n.reason = {} as kept from ({}) s join {} n on n.source_row = s.row "
            "where n.reason not in ({}, {})"
        ).format(sql.Literal(DIFFERS), rows.of_source(), ROWS_NOT_INSERTED, sql.Literal(SAME), sql.Literal(OVERWRITE))
        note_not_written(self._connection, self._upgraded.artifact.id, table.name, query)

    def _checksums(self, table: Table, source: sql.Composed, others: NotInserted) -> tuple[Checksum, Checksum]:
        """Over what should have been written, and over what this transaction wrote, as it is in the table."""
        # An overwritten row keeps the number that it has in the target.
        columns = [
            column for column in table.columns if not (others.overwritten and column.name == table.surrogate_key)
        ]
        merged: sql.Composable | None = None
        if others.any:
            merged = sql.SQL("t.source_row not in (select source_row from {} where reason <> {})").format(
                ROWS_NOT_INSERTED, sql.Literal(OVERWRITE)
            )
        expected = checksum(self._connection, source, columns, self._algorithm, merged)
        transaction = fetch_value(self._connection, "select mod(txid_current(), 4294967296)::text")
        written = sql.SQL("t.xmin::text = {}").format(sql.Literal(transaction))
        target = self._upgraded.target.table(table.name)
        return expected, checksum(self._connection, target, columns, self._algorithm, written)
