"""Merge: the upgraded rows go from the scratch schema into the target's tables, in one transaction.

Tables are taken parents first. For each, a *translated* row source is written once and used for everything: the
scratch table with its surrogate keys renumbered and its references carried along. Rows that the target has already
(the same identity) are *kept* as the target has them, or overwritten, or make the merge fail, as asked. Rows that
cannot be placed, because what they refer to is not in the target, are *set aside*. The others are inserted, and what
was inserted is read back and compared with what should have been, before the transaction commits.
"""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import mergeable_tables
from mwaa_migrator.airflow_schema.tables import PAUSE_STATE_TABLE, undeclared_references
from mwaa_migrator.comparison.comparable_rows import Meaning
from mwaa_migrator.errors import ContentDiffers, RowsUnaccounted
from mwaa_migrator.merge import bulk
from mwaa_migrator.merge.key_blocks import Block
from mwaa_migrator.merge.log_templates import LogTemplates
from mwaa_migrator.merge.receipts import note_not_written
from mwaa_migrator.merge.rows_not_inserted import DISPOSITIONS, Disposed, Dispositions
from mwaa_migrator.merge.translation import Translation, users_in_target
from mwaa_migrator.postgres.catalog import Table, in_foreign_key_order, qualified, read_tables
from mwaa_migrator.postgres.checksums import Checksum, algorithm_of, checksum
from mwaa_migrator.postgres.session import execute, fetch_value, identifiers, use_schema
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.upgrade import Upgraded


class TableResult(NamedTuple):
    """What became of a table's rows: exported = merged + kept + set_aside.

    ``overwritten`` rows count as merged, ``kept_differing`` as kept. The checksums are over the merged rows.
    """

    exported: int
    merged: int
    kept: int
    set_aside: int
    set_aside_reasons: dict[str, int]
    overwritten: int = 0
    kept_differing: int = 0
    checksum_source: str = "0"
    checksum_target: str = "0"
    match: bool = True


class Merge:
    """One merge, inside the transaction that the caller began and will commit."""

    def __init__(
        self,
        connection: Any,
        scratch: str,
        schema: str,
        manifest: dict[str, Any],
        upgraded: Upgraded,
        blocks: dict[str, Block],
        on_conflict: str,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._manifest = manifest
        self._upgraded = upgraded
        self._progress = progress
        self._target_tables = read_tables(connection, schema)
        self._tables = mergeable_tables(connection, scratch, schema, manifest)
        self._algorithm = algorithm_of(connection)
        self._scratch = scratch
        use_schema(connection, schema)
        self._transaction = fetch_value(connection, "select mod(txid_current(), 4294967296)::text")
        self._log_templates = LogTemplates(connection, scratch, schema, manifest)
        users = users_in_target(connection, schema, manifest["note_authors"])
        self._translation = Translation(
            scratch, schema, self._target_tables, self._tables, blocks, users, self._log_templates
        )
        self._dispositions = Dispositions(
            connection,
            scratch,
            schema,
            self._target_tables,
            self._tables,
            self._translation,
            on_conflict,
            self._algorithm,
        )

    def run(self, in_bulk: list[str], make_dags: Callable[[], None]) -> dict[str, TableResult]:
        """Merge all tables; raises RowsConflict, RowsUnaccounted or ContentDiffers, and then nothing may be kept.

        ``make_dags`` is called when all is merged but what refers to a DAG's own row. It changes rows that the target's
        scheduler wants as well, so it comes as late as it can.
        """
        removed = bulk.remove(self._connection, self._schema, self._tables, in_bulk)
        results = {}
        order = self._order()
        of_dags = [name for name in order if self._refers_to_dags(name)]
        for name in [name for name in order if name not in of_dags] + of_dags:
            if of_dags and name == of_dags[0]:
                make_dags()
            begun = time.monotonic()
            results[name] = self._merge_table(self._tables[name], in_order=name not in in_bulk)
            note = f"{results[name].kept:,} kept, {results[name].set_aside:,} set aside"
            self._progress.table("merge", name, results[name].merged, time.monotonic() - begun, note=note)
        if not of_dags:
            make_dags()
        begun = time.monotonic()
        made = bulk.make_again(self._connection, removed)
        if made:
            seconds = time.monotonic() - begun
            self._progress.say(f"merge: {made} keys, indexes and foreign keys made again in {seconds:.1f} s")
        self._log_templates.keep_newest()
        for name, entry in self._manifest["tables"].items():
            if name not in results and name != PAUSE_STATE_TABLE and entry["rows"]:
                reason = {"the target's Airflow has no such table": entry["rows"]}
                results[name] = TableResult(entry["rows"], 0, 0, entry["rows"], reason)
        return results

    def _order(self) -> list[str]:
        parents = {}
        for name, table in self._tables.items():
            parents[name] = [key.parent for key in table.foreign_keys if key.parent is not None]
            parents[name] += list(undeclared_references(name).values())
        return in_foreign_key_order(parents)

    def _refers_to_dags(self, name: str) -> bool:
        return any(key.parent == PAUSE_STATE_TABLE for key in self._tables[name].foreign_keys)

    def _merge_table(self, table: Table, in_order: bool) -> TableResult:
        exported = self._manifest["tables"][table.name]["rows"]
        moved = self._upgraded.set_aside.get(table.name, 0)
        reasons = {"moved by Airflow's migrations": moved} if moved else {}
        rows = self._upgraded.rows[table.name]
        if not rows:
            return TableResult(exported, 0, 0, moved, reasons)
        source = self._translation.rows(table)
        disposed = self._dispositions.find(table, source)
        if disposed.overwritten:
            self._dispositions.overwrite(table, source)
        merged = self._insert(table, source, disposed, in_order) + disposed.overwritten
        reasons.update(disposed.set_aside)
        set_aside = sum(reasons.values())
        if exported != merged + disposed.kept + set_aside:
            message = "{}: {} rows were exported; {} merged, {} kept and {} set aside do not add up to it."
            raise RowsUnaccounted(message.format(table.name, exported, merged, disposed.kept, set_aside))
        if disposed.kept_differing or disposed.set_aside:
            self._note_not_written(table)
        expected, actual = self._compare(table, source, disposed)
        if expected != actual:
            message = "{}: the merged rows have checksum {} ({} rows), and should have {} ({} rows)."
            raise ContentDiffers(message.format(table.name, actual.value, actual.rows, expected.value, expected.rows))
        return TableResult(
            exported,
            merged,
            disposed.kept,
            set_aside,
            reasons,
            disposed.overwritten,
            disposed.kept_differing,
            expected.value,
            actual.value,
        )

    def _insert(self, table: Table, source: sql.Composed, disposed: Disposed, in_order: bool) -> int:
        condition: sql.Composable = sql.SQL("")
        if disposed.any:
            condition = sql.SQL("where x.source_row not in (select source_row from {})").format(DISPOSITIONS)
        order = sql.SQL("")
        if in_order and table.primary_key:
            # An index grows at its end only; without an index to keep, the order costs a sort and gains nothing.
            order = sql.SQL("order by {}").format(identifiers(table.primary_key, "x"))
        return execute(
            self._connection,
            sql.SQL("insert into {} ({}) select {} from {} x {} {}").format(
                qualified(self._schema, table.name),
                identifiers(table.column_names),
                identifiers(table.column_names, "x"),
                source,
                condition,
                order,
            ),
        )

    def _note_not_written(self, table: Table) -> None:
        default_template = self._log_templates.default_filename()
        exported = self._manifest["tables"]
        meaning = Meaning(table, self._target_tables, self._algorithm, default_template, exported)
        rows = sql.SQL(
            "select m.identity, m.content, d.disposition = 'differs' as kept from ({}) m "
            "join {} d on d.source_row = m.row where d.disposition not in ('same', 'overwrite')"
        )
        note_not_written(
            self._connection,
            self._manifest["migration_id"],
            table.name,
            rows.format(meaning.of_source(self._scratch), DISPOSITIONS),
        )

    def _compare(self, table: Table, source: sql.Composed, disposed: Disposed) -> tuple[Checksum, Checksum]:
        """Checksums of what should have been written and of what this transaction wrote, as it lies in the table."""
        # An overwritten row keeps the number that it has in the target.
        columns = [
            column for column in table.columns if not (disposed.overwritten and column.name == table.surrogate_key)
        ]
        merged: sql.Composable | None = None
        if disposed.any:
            merged = sql.SQL("t.source_row not in (select source_row from {} where disposition <> 'overwrite')").format(
                DISPOSITIONS
            )
        written = sql.SQL("t.xmin::text = {}").format(sql.Literal(self._transaction))
        target = qualified(self._schema, table.name)
        expected = checksum(self._connection, source, columns, self._algorithm, merged)
        actual = checksum(self._connection, target, columns, self._algorithm, written)
        return expected, actual
