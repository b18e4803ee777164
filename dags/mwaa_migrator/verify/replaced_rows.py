"""What a delta has replaced in the target: there the delta's rows must be, and no others.

An import only adds rows, so a row of the target that the artifact does not have is the target's own. A delta also
deletes, so in its units such a row is one that should have gone.
"""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.units import RUN_COLUMNS
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.sums import read_changes
from mwaa_migrator.comparison.comparable_rows import ComparableRows
from mwaa_migrator.merge.base_keys import noted_key_blocks
from mwaa_migrator.merge.key_blocks import KeyBlocks
from mwaa_migrator.merge.replaced_units import ReplacedUnits
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.verify.verify_tables import SOURCE_ROWS, TARGET_ROWS


class Surplus(NamedTuple):
    """Rows of the target that should have gone, and the names of some of them."""

    rows: int
    examples: List[str]


class ReplacedRows:
    """Those of one delta, in verify's transaction."""

    def __init__(self, upgraded: UpgradedArtifact, units: ReplacedUnits, blocks: Mapping[str, KeyBlocks]) -> None:
        self._upgraded = upgraded
        self._units = units
        self._blocks = blocks

    def condition(self, table: Table) -> sql.Composable | None:
        """The condition on alias ``t``, a row of the target, that it is in a replaced unit; None if each row is one."""
        if table.name in self._blocks:
            in_blocks = self._units.in_blocks(table, self._blocks[table.name])
            if in_blocks is not None:
                return in_blocks
        return self._units.of_runs(table)

    def surplus(self, rows: ComparableRows) -> Surplus:
        """By the temporary tables, which hold the rows of a table by now."""
        table = rows.table
        if self.condition(table) is None:
            return self._gone_rows(table)
        query = sql.SQL(
            "select count(*) over (), {} from {} t where t.ctid = any(array(select r.row from {} r "
            "where not exists (select from {} s where s.identity = r.identity))) order by 2 limit {}"
        )
        key = rows.identity or table.primary_key
        # An XCom's key has the number of its run, which says nothing to a person.
        of_run = [name for name in RUN_COLUMNS if name in table.column_names and name not in key]
        names = row_name([*of_run, *key])
        place = self._upgraded.target.table(table.name)
        return _surplus(
            fetch_all(
                self._upgraded.connection,
                query.format(names, place, TARGET_ROWS, SOURCE_ROWS, sql.Literal(EXAMPLES)),
            )
        )

    def _gone_rows(self, table: Table) -> Surplus:
        """Those of rows that are gone, where their identity is the same in both environments."""
        gone = self._units.gone_rows(table)
        if gone is None or set(gone.columns) & {*surrogate_references(table, self._upgraded.target_tables)}:
            return Surplus(0, [])
        query = sql.SQL("select count(*) over (), {} from {} t where ({}) in (select * from {} g) order by 2 limit {}")
        return _surplus(
            fetch_all(
                self._upgraded.connection,
                query.format(
                    row_name(gone.columns),
                    self._upgraded.target.table(table.name),
                    identifiers.columns(gone.columns, "t"),
                    gone.rows,
                    sql.Literal(EXAMPLES),
                ),
            )
        )


def replaced_rows(upgraded: UpgradedArtifact, artifact: Artifact) -> ReplacedRows:
    blocks = noted_key_blocks(upgraded.connection, artifact.id)
    return ReplacedRows(upgraded, ReplacedUnits(upgraded, read_changes(artifact)), blocks)


def _surplus(found: List[Tuple[int, str]]) -> Surplus:
    return Surplus(found[0][0] if found else 0, [name for _, name in found])
