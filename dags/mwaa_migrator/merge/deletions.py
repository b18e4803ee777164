"""What a delta's merge deletes from the target, and when: the rows of changed units that the delta does not have.

Rows that both have are updated in place, so that they keep their keys and what refers to them. A run that is gone goes
before its place is taken; the other rows of a run just before those of the same table are merged; and all others at the
end, when nothing refers to them any more.
"""

from __future__ import annotations

from typing import Dict, Mapping

from psycopg2 import sql

from mwaa_migrator.merge.key_blocks import KeyBlocks
from mwaa_migrator.merge.order import MergeOrder
from mwaa_migrator.merge.replaced_units import ReplacedUnits
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


class Deletions:
    """In the merge's transaction; ``counts`` are the rows that were deleted, by table, without what went with them."""

    def __init__(
        self,
        upgraded: UpgradedArtifact,
        replaced: ReplacedUnits,
        translation: Translation,
        blocks: Mapping[str, KeyBlocks],
    ) -> None:
        self.counts: Dict[str, int] = {}
        self._upgraded = upgraded
        self._replaced = replaced
        self._translation = translation
        self._blocks = blocks

    def of_gone_runs(self, order: MergeOrder) -> None:
        """Children first, so that each table's rows are counted."""
        for name in reversed(order.all):
            self._delete(name, self._replaced.of_gone_runs(self._upgraded.tables[name]))

    def of_runs(self, table: Table) -> None:
        """Of runs that have changed, or are gone."""
        self._delete_others(table, self._replaced.of_runs(table))

    def of_what_else_is_gone(self, order: MergeOrder) -> None:
        for name in reversed(order.all):
            table = self._upgraded.tables[name]
            if name in self._blocks:
                self._delete_others(table, self._replaced.in_blocks(table, self._blocks[name]))
            gone = self._replaced.gone_rows(table)
            if gone is not None:
                translated = self._translation.identities(table, gone.columns, gone.rows)
                is_gone = sql.SQL("({}) in (select {} from {} x)").format(
                    identifiers.columns(gone.columns, "t"), identifiers.columns(gone.columns, "x"), translated
                )
                self._delete(name, is_gone)

    def _delete_others(self, table: Table, condition: sql.Composable | None) -> None:
        """Delete the rows for which the condition holds and that the delta does not have."""
        if condition is None or not self._upgraded.rows[table.name]:
            self._delete(table.name, condition)
            return
        pairs = [
            sql.SQL("{} = {}").format(identifiers.column("x", name), identifiers.column("t", name))
            for name in self._replaced.known_by(table) or table.primary_key
        ]
        is_not_there = sql.SQL("not exists (select from {} x where {})").format(
            self._translation.rows(table), sql.SQL(" and ").join(pairs)
        )
        self._delete(table.name, sql.SQL("{} and {}").format(condition, is_not_there))

    def _delete(self, name: str, condition: sql.Composable | None) -> None:
        """Delete the rows of the target's table, alias ``t``."""
        if condition is None:
            return
        statement = sql.SQL("delete from {} t where {}").format(self._upgraded.target.table(name), condition)
        deleted = execute(self._upgraded.connection, statement)
        if deleted:
            self.counts[name] = self.counts.get(name, 0) + deleted
