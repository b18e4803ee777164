"""The rows of a table that the merge does not insert: the target has them already, or has no place for them.

They are collected in a temporary table, with these columns:

* ``source_row``: the row's ctid in the scratch schema
* ``target_row``: the ctid of the target's row that is in its place, if there is one
* ``source_key``, ``target_key``: the surrogate keys of both
* ``reason``: SAME and DIFFERS (kept as the target has it), OVERWRITE, or else why the row is set aside
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ROW_NAMES
from mwaa_migrator.airflow_schema.identity import MADE_BY_AIRFLOW_TOO, content_columns, identity_columns
from mwaa_migrator.airflow_schema.references import USER_REFERENCES, surrogate_references
from mwaa_migrator.comparison.differing_secrets import differing_secrets
from mwaa_migrator.errors import RowsConflict
from mwaa_migrator.merge import merge_tables
from mwaa_migrator.merge.merge_tables import ROWS_NOT_INSERTED
from mwaa_migrator.merge.replaced_units import ReplacedUnits
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.options import FAIL, OVERWRITE
from mwaa_migrator.postgres import identifiers, temporary_tables
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.checksums import column_values, row_hash
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.this_airflow.configuration import default_pool_slots
from mwaa_migrator.wording import listed

SAME = "same"
DIFFERS = "differs"

_COLUMNS = sql.SQL("source_row, target_row, source_key, target_key, reason")


class NotInserted(NamedTuple):
    """Row counts of one table. ``kept`` includes ``kept_differing``; ``set_aside`` is by reason."""

    kept: int
    kept_differing: int
    overwritten: int
    set_aside: Dict[str, int]

    @property
    def any(self) -> bool:
        return bool(self.kept or self.overwritten or self.set_aside)


class RowsNotInserted:
    """The temporary table, filled for one table of the merge after the other, parents first."""

    def __init__(
        self,
        upgraded: UpgradedArtifact,
        translation: Translation,
        on_conflict: str,
        replaced: ReplacedUnits | None = None,
    ) -> None:
        """``replaced`` are the units of a delta: the source's rows of these win, whatever ``on_conflict`` says."""
        self._replaced = replaced
        self._upgraded = upgraded
        self._connection = upgraded.connection
        self._translation = translation
        self._on_conflict = on_conflict
        self._algorithm = upgraded.target.checksum_algorithm
        self._with_rows_set_aside: set[str] = set()
        self._kept_keys = 0

    def collect(self, table: Table, source: sql.Composed) -> NotInserted:
        """Fill the temporary table for ``table``, whose translated rows are ``source``.

        Raises RowsConflict if rows differ and the merge was asked to fail then.
        """
        columns = "source_row tid, target_row tid, source_key {0}, target_key {0}, reason text"
        key_type = sql.SQL("uuid" if table.has_uuid_key else "bigint")
        temporary_tables.create(self._connection, ROWS_NOT_INSERTED, sql.SQL(columns).format(key_type))
        target = self._upgraded.target.table(table.name)
        if fetch_value(self._connection, sql.SQL("select exists (select 1 from {})").format(target)):
            if self._known_by(table):
                self._add_same_identity(table, source)
            else:
                self._add_same_content(table, source)
                if table.has_uuid_key:
                    self._add_same_uuid(table, source)
            self._add_blocked(table, source)
        self._add_orphans(table, source)
        query = sql.SQL("select reason, count(*) from {} group by 1").format(ROWS_NOT_INSERTED)
        counts = dict(fetch_all(self._connection, query))
        if not counts:
            return NotInserted(0, 0, 0, {})
        temporary_tables.analyze(self._connection, ROWS_NOT_INSERTED)
        if table.surrogate_key:
            self._lead_references_to_kept_rows(table)
        same, differing, overwritten = (counts.pop(reason, 0) for reason in (SAME, DIFFERS, OVERWRITE))
        if differing and self._on_conflict == FAIL:
            raise RowsConflict(self._conflict_message(table, source, differing))
        if counts:
            self._with_rows_set_aside.add(table.name)
        return NotInserted(same + differing, differing, overwritten, counts)

    def overwrite(self, table: Table, source: sql.Composed) -> None:
        """Give the target's rows the content of the source's; they keep their surrogate keys."""
        untouched = {*identity_columns(table), table.surrogate_key}
        names = [column.name for column in table.columns if column.name not in untouched]
        execute(
            self._connection,
            sql.SQL(
                "update {} t set {} from {} x join {} n using (source_row) "
                "where n.reason = {} and t.ctid = n.target_row"
            ).format(
                self._upgraded.target.table(table.name),
                sql.SQL(", ").join([sql.SQL("{0} = x.{0}").format(sql.Identifier(name)) for name in names]),
                source,
                ROWS_NOT_INSERTED,
                sql.Literal(OVERWRITE),
            ),
        )

    def _add_same_identity(self, table: Table, source: sql.Composed) -> None:
        """Rows that the target has, known by what identifies them."""
        met = self._met(table, source, _equal(self._known_by(table)), sql.SQL("null::bigint"))
        query = "insert into {} select distinct on (source_row) {} from ({}) met order by source_row, target_row"
        execute(self._connection, sql.SQL(query).format(ROWS_NOT_INSERTED, _COLUMNS, met))

    def _add_same_content(self, table: Table, source: sql.Composed) -> None:
        """The same for a table without a key of its own, whose rows are known by their whole content.

        Several rows can be alike. Each meets one of its own: if the target has two, the source's third is new.
        """
        content = self._compared_columns(table)
        ours, theirs = (row_hash(column_values(content, alias), self._algorithm) for alias in ("x", "t"))
        # The hash makes this a hash join.
        match = sql.SQL("{} = {} and {}").format(ours, theirs, _equal_content(content))
        query = sql.SQL(
            "insert into {0} select {1} from (select m.*, "
            "dense_rank() over (partition by alike order by source_row) as of_source, "
            "dense_rank() over (partition by alike order by target_row) as of_target from ({2}) m) ranked "
            "where of_source = of_target"
        )
        execute(self._connection, query.format(ROWS_NOT_INSERTED, _COLUMNS, self._met(table, source, match, ours)))

    def _met(self, table: Table, source: sql.Composed, match: sql.Composable, alike: sql.Composable) -> sql.Composed:
        """The pairs of a source's and a target's row for which ``match`` holds, with the temporary table's columns.

        ``alike`` is one more, which is equal in equal rows.
        """
        target_key: sql.Composable = sql.SQL("null::bigint")
        if table.surrogate_key:
            target_key = identifiers.column("t", table.surrogate_key)
        return sql.SQL(
            "select x.source_row, t.ctid as target_row, {} as source_key, {} as target_key, case when {} then {} "
            "when {} then {} else {} end as reason, {} as alike from {} x join {} t on {}"
        ).format(
            self._translation.source_key(table),
            target_key,
            self._is_same(table),
            sql.Literal(SAME),
            _is_airflows_own(table),
            sql.Literal(OVERWRITE),
            self._if_differing(table),
            alike,
            source,
            self._upgraded.target.table(table.name),
            match,
        )

    def _is_same(self, table: Table) -> sql.Composable:
        """Whether the content of two rows that match is the same."""
        content = self._compared_columns(table)
        is_same: sql.Composable = sql.SQL("true")
        if self._known_by(table) and table.name not in MADE_BY_AIRFLOW_TOO and content:
            is_same = _equal_content(content)
        secrets = differing_secrets(self._upgraded.scratch, table)
        if secrets:
            is_same = sql.SQL("{} and {} <> all({})").format(
                is_same, identifiers.column("x", ROW_NAMES[table.name]), sql.Literal(secrets)
            )
        return is_same

    def _compared_columns(self, table: Table) -> list[Column]:
        """The content without what the migrations or the merge give a row."""
        times = self._upgraded.times_of_migrations(table.name)
        return [
            column
            for column in content_columns(table)
            if column.name not in times and not self._translation.gives(table, column)
        ]

    def _known_by(self, table: Table) -> Sequence[str]:
        return identity_columns(table) if self._replaced is None else self._replaced.known_by(table)

    def _if_differing(self, table: Table) -> sql.Composable:
        """The reason, in SQL, of a row that the target has with other content."""
        otherwise = sql.Literal(OVERWRITE if self._on_conflict == OVERWRITE else DIFFERS)
        if self._replaced is None:
            return otherwise
        changed = self._replaced.holds(table)
        if changed is None:
            return sql.Literal(OVERWRITE)
        return sql.SQL("case when {} then {} else {} end").format(changed, sql.Literal(OVERWRITE), otherwise)

    def _add_same_uuid(self, table: Table, source: sql.Composed) -> None:
        """Rows of which the target has the UUID with other content: an earlier import has brought them."""
        query = sql.SQL(
            "insert into {0} select x.source_row, t.ctid, {1}, t.{2}, {3} from {4} x join {5} t on t.{2} = x.{2} "
            "where not exists (select 1 from {0} n where n.source_row = x.source_row)"
        ).format(
            ROWS_NOT_INSERTED,
            self._translation.source_key(table),
            sql.Identifier(str(table.surrogate_key)),
            self._if_differing(table),
            source,
            self._upgraded.target.table(table.name),
        )
        execute(self._connection, query)

    def _add_blocked(self, table: Table, source: sql.Composed) -> None:
        """Rows whose place another row of the target has taken, by a unique key that is not the identity."""
        identity = identity_columns(table)
        for key in table.unique_keys:
            if key == identity or key == (table.surrogate_key,):
                continue
            reason = "the target has another row with the same {}".format(", ".join(key))
            taken = sql.SQL("exists (select 1 from {} t where {})").format(
                self._upgraded.target.table(table.name), _equal(key)
            )
            self._set_aside(table, source, reason, taken)

    def _add_orphans(self, table: Table, source: sql.Composed) -> None:
        """Rows whose parent is not in the target: it was set aside itself, or its table is not merged."""
        references = surrogate_references(table, self._upgraded.target_tables)
        declared = {key.columns for key in table.foreign_keys}
        for column, parent in references.items():
            nullable = not table.column(column).not_null
            if nullable and (parent not in self._upgraded.tables or (column,) not in declared):
                continue
            # Of a reference that no constraint declares, nothing says that its row has ever been there.
            if self._has_all_rows(parent) and (nullable or (column,) in declared):
                continue
            # The reference is translated by now, and NULL if its row is not there.
            missing = sql.SQL(
                "x.{0} is null and exists (select 1 from {1} s where s.ctid = x.source_row and s.{0} is not null)"
            ).format(sql.Identifier(column), self._upgraded.scratch.table(table.name))
            self._set_aside(table, source, f"its {parent} is not in the target", missing)
        for name, column in USER_REFERENCES:
            if name == table.name and table.column(column).not_null:
                self._set_aside(table, source, "its user is not in the target", _is_null(column))
        for key in table.foreign_keys:
            if key.parent is None or key.columns[0] in references or self._has_all_rows(key.parent):
                continue
            given = [sql.SQL("{} is not null").format(identifiers.column("x", column)) for column in key.columns]
            pairs = [
                sql.SQL("{} = {}").format(identifiers.column("p", theirs), identifiers.column("x", ours))
                for theirs, ours in zip(key.parent_columns, key.columns)
            ]
            missing = sql.SQL("{} and not exists (select 1 from {} p where {})").format(
                sql.SQL(" and ").join(given), self._upgraded.target.table(key.parent), sql.SQL(" and ").join(pairs)
            )
            self._set_aside(table, source, f"its {key.parent} is not in the target", missing)

    def _has_all_rows(self, parent: str) -> bool:
        return parent in self._upgraded.tables and parent not in self._with_rows_set_aside

    def _set_aside(self, table: Table, source: sql.Composed, reason: str, condition: sql.Composable) -> None:
        """Add the rows, alias ``x``, for which the condition holds and that are not there yet."""
        execute(
            self._connection,
            sql.SQL(
                "insert into {0} select x.source_row, null, {1}, null, {2} from {3} x "
                "where {4} and not exists (select 1 from {0} n where n.source_row = x.source_row)"
            ).format(ROWS_NOT_INSERTED, self._translation.source_key(table), sql.Literal(reason), source, condition),
        )

    def _lead_references_to_kept_rows(self, table: Table) -> None:
        kept_keys = merge_tables.kept_keys(self._kept_keys)
        self._kept_keys += 1
        query = sql.SQL("select source_key, target_key from {} where source_key is not null")
        temporary_tables.create_from(self._connection, kept_keys, query.format(ROWS_NOT_INSERTED))
        temporary_tables.analyze(self._connection, kept_keys)
        self._translation.use_kept_keys(table.name, kept_keys)

    def _conflict_message(self, table: Table, source: sql.Composed, differing: int) -> str:
        query = sql.SQL(
            "select {} from {} t join {} n using (source_row) where n.reason = {} order by 1 limit {}"
        ).format(
            row_name(identity_columns(table)), source, ROWS_NOT_INSERTED, sql.Literal(DIFFERS), sql.Literal(EXAMPLES)
        )
        examples = [name for (name,) in fetch_all(self._connection, query)]
        message = (
            "{}: the target has {} of these rows already, with other content, such as {}. Nothing was merged. Choose "
            "--on-conflict keep (the target's rows stay) or overwrite (the source's replace them)."
        )
        return message.format(table.name, differing, listed(examples, differing))


def _is_null(column: str) -> sql.Composable:
    return sql.SQL("{} is null").format(identifiers.column("x", column))


def _equal_content(columns: Sequence[Column]) -> sql.Composable:
    return sql.SQL("row({}) is not distinct from row({})").format(
        sql.SQL(", ").join(column_values(columns, "x")), sql.SQL(", ").join(column_values(columns, "t"))
    )


def _equal(names: Sequence[str]) -> sql.Composable:
    pairs = [sql.SQL("{} = {}").format(identifiers.column("t", name), identifiers.column("x", name)) for name in names]
    return sql.SQL(" and ").join(pairs)


def _is_airflows_own(table: Table) -> sql.Composable:
    """Of a row of the target: Airflow made it and nobody changed it, so the source's settings replace it."""
    if table.name != "slot_pool":
        return sql.SQL("false")
    return sql.SQL("(t.pool = 'default_pool' and t.description = 'Default pool' and t.slots = {})").format(
        sql.Literal(default_pool_slots())
    )
