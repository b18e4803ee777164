"""Rows that are not simply inserted, because the target has them already or has no place for them.

They are collected in a temporary table, a row each: its place in the scratch schema (``source_row``), the row of the
target that it met (``target_row``), both rows' surrogate keys, and its disposition: ``same`` and ``differs`` (kept as
the target has it), ``overwrite``, or the reason for which it is set aside.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import compared_columns, identity_columns, surrogate_references
from mwaa_migrator.airflow_schema.tables import MATCHED_ONLY, SECRET_NAMES
from mwaa_migrator.comparison.differing_secrets import differing_secrets
from mwaa_migrator.errors import RowsConflict
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.checksums import column_values, row_hash
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, identifiers
from mwaa_migrator.this_airflow import database as airflow_database

DISPOSITIONS = sql.Identifier("mwaa_migrator_dispositions")


class Disposed(NamedTuple):
    """Row counts of one table; ``kept`` includes ``kept_differing``, ``set_aside`` is by reason."""

    kept: int
    kept_differing: int
    overwritten: int
    set_aside: dict[str, int]

    @property
    def any(self) -> bool:
        return bool(self.kept or self.overwritten or self.set_aside)


class Dispositions:
    """The temporary table, filled for one table of the merge after the other, parents first."""

    def __init__(
        self,
        connection: Any,
        scratch: str,
        schema: str,
        target_tables: dict[str, Table],
        merged: dict[str, Table],
        translation: Translation,
        on_conflict: str,
        algorithm: str,
    ) -> None:
        self._connection = connection
        self._scratch = scratch
        self._schema = schema
        self._target_tables = target_tables
        self._merged = merged
        self._translation = translation
        self._on_conflict = on_conflict
        self._algorithm = algorithm
        self._incomplete: set[str] = set()

    def find(self, table: Table, source: sql.Composed) -> Disposed:
        """Fill the table for ``table``, whose translated rows are ``source``.

        Raises RowsConflict if rows differ and the merge was asked to fail then.
        """
        execute(self._connection, sql.SQL("drop table if exists pg_temp.{}").format(DISPOSITIONS))
        execute(
            self._connection,
            sql.SQL(
                "create temporary table {} (source_row tid, target_row tid, source_key bigint, target_key bigint, "
                "disposition text) on commit drop"
            ).format(DISPOSITIONS),
        )
        target = qualified(self._schema, table.name)
        if fetch_value(self._connection, sql.SQL("select exists (select 1 from {})").format(target)):
            self._find_same_identity(table, source)
            self._find_blocked(table, source)
        self._find_orphans(table, source)
        query = sql.SQL("select disposition, count(*) from {} group by 1").format(DISPOSITIONS)
        counts = dict(fetch_all(self._connection, query))
        if not counts:
            return Disposed(0, 0, 0, {})
        execute(self._connection, sql.SQL("analyze {}").format(DISPOSITIONS))
        if table.surrogate_key:
            self._remember_kept_keys(table)
        same, differing, overwritten = (counts.pop(name, 0) for name in ("same", "differs", "overwrite"))
        if differing and self._on_conflict == "fail":
            raise RowsConflict(self._conflict_message(table, source, differing))
        if counts:
            self._incomplete.add(table.name)
        return Disposed(same + differing, differing, overwritten, counts)

    def overwrite(self, table: Table, source: sql.Composed) -> None:
        """Give the target's rows the content of the source's; they keep their surrogate keys."""
        untouched = {*identity_columns(table), table.surrogate_key}
        columns = [column.name for column in table.columns if column.name not in untouched]
        execute(
            self._connection,
            sql.SQL(
                "update {} t set {} from {} x join {} d using (source_row) "
                "where d.disposition = 'overwrite' and t.ctid = d.target_row"
            ).format(
                qualified(self._schema, table.name),
                sql.SQL(", ").join([sql.SQL("{0} = x.{0}").format(sql.Identifier(column)) for column in columns]),
                source,
                DISPOSITIONS,
            ),
        )

    def _find_same_identity(self, table: Table, source: sql.Composed) -> None:
        identity = identity_columns(table)
        compared = compared_columns(table)
        if identity:
            match = _equal(identity)
        else:
            # Without a key of its own a row is known by its whole content; the hash makes it a hash join.
            match = sql.SQL("{} = {} and row({}) is not distinct from row({})").format(
                row_hash(column_values(compared, "x"), self._algorithm),
                row_hash(column_values(compared, "t"), self._algorithm),
                sql.SQL(", ").join(column_values(compared, "x")),
                sql.SQL(", ").join(column_values(compared, "t")),
            )
        same: sql.Composable = sql.SQL("true")
        if identity and table.name not in MATCHED_ONLY and compared:
            same = sql.SQL("row({}) is not distinct from row({})").format(
                sql.SQL(", ").join(column_values(compared, "x")), sql.SQL(", ").join(column_values(compared, "t"))
            )
        secrets_differ = differing_secrets(self._connection, self._scratch, self._schema, table)
        if secrets_differ:
            same = sql.SQL("{} and x.{} <> all({})").format(
                same, sql.Identifier(SECRET_NAMES[table.name]), sql.Literal(secrets_differ)
            )
        conflict = sql.Literal("overwrite" if self._on_conflict == "overwrite" else "differs")
        target_key: sql.Composable = sql.SQL("null::bigint")
        if table.surrogate_key:
            target_key = sql.SQL("t.{}").format(sql.Identifier(table.surrogate_key))
        met = sql.SQL(
            "select x.source_row, t.ctid as target_row, {} as source_key, {} as target_key, case when {} then 'same' "
            "when {} then 'overwrite' else {} end as disposition, {} as alike from {} x join {} t on {}"
        ).format(
            self._translation.source_key(table),
            target_key,
            same,
            _airflows_own(table),
            conflict,
            sql.SQL("null::bigint") if identity else row_hash(column_values(compared, "x"), self._algorithm),
            source,
            qualified(self._schema, table.name),
            match,
        )
        columns = sql.SQL("source_row, target_row, source_key, target_key, disposition")
        if identity:
            query = sql.SQL("select distinct on (source_row) {} from ({}) met order by source_row, target_row")
        else:
            # Several rows can be alike, and each meets one of its own: the third of the source's is new where the
            # target has two.
            query = sql.SQL(
                "select {} from (select m.*, dense_rank() over (partition by alike order by source_row) as of_source, "
                "dense_rank() over (partition by alike order by target_row) as of_target from ({}) m) ranked "
                "where of_source = of_target"
            )
        execute(self._connection, sql.SQL("insert into {} {}").format(DISPOSITIONS, query.format(columns, met)))

    def _find_blocked(self, table: Table, source: sql.Composed) -> None:
        """Rows whose place another row of the target has taken, by a unique key that is not the identity."""
        identity = identity_columns(table)
        for key in table.unique_keys:
            if key == identity or key == (table.surrogate_key,):
                continue
            reason = "the target has another row with the same {}".format(", ".join(key))
            execute(
                self._connection,
                sql.SQL(
                    "insert into {0} select x.source_row, null, {1}, null, {2} from {3} x join {4} t on {5} "
                    "where not exists (select 1 from {0} d where d.source_row = x.source_row)"
                ).format(
                    DISPOSITIONS,
                    self._translation.source_key(table),
                    sql.Literal(reason),
                    source,
                    qualified(self._schema, table.name),
                    _equal(key),
                ),
            )

    def _find_orphans(self, table: Table, source: sql.Composed) -> None:
        """Rows whose parent is not in the target: it was set aside itself, or its table is not merged."""
        references = surrogate_references(table, self._target_tables)
        declared = {key.columns for key in table.foreign_keys}
        for column, parent in references.items():
            nullable = not table.column(column).not_null
            if nullable and (parent not in self._merged or (column,) not in declared):
                continue
            if self._has_all_rows(parent):
                continue
            # The reference was translated; to a row that is not there it is NULL by now.
            missing = sql.SQL(
                "x.{0} is null and exists (select 1 from {1} s where s.ctid = x.source_row and s.{0} is not null)"
            ).format(sql.Identifier(column), qualified(self._scratch, table.name))
            self._set_aside(table, source, parent, missing)
        for key in table.foreign_keys:
            if key.parent is None or key.columns[0] in references or self._has_all_rows(key.parent):
                continue
            given = [sql.SQL("x.{} is not null").format(sql.Identifier(column)) for column in key.columns]
            pairs = [
                sql.SQL("p.{} = x.{}").format(sql.Identifier(theirs), sql.Identifier(ours))
                for theirs, ours in zip(key.parent_columns, key.columns)
            ]
            missing = sql.SQL("{} and not exists (select 1 from {} p where {})").format(
                sql.SQL(" and ").join(given), qualified(self._schema, key.parent), sql.SQL(" and ").join(pairs)
            )
            self._set_aside(table, source, key.parent, missing)

    def _has_all_rows(self, parent: str) -> bool:
        return parent in self._merged and parent not in self._incomplete

    def _set_aside(self, table: Table, source: sql.Composed, parent: str, missing: sql.Composed) -> None:
        execute(
            self._connection,
            sql.SQL(
                "insert into {0} select x.source_row, null, {1}, null, {2} from {3} x "
                "where {4} and not exists (select 1 from {0} d where d.source_row = x.source_row)"
            ).format(
                DISPOSITIONS,
                self._translation.source_key(table),
                sql.Literal(f"its {parent} is not in the target"),
                source,
                missing,
            ),
        )

    def _remember_kept_keys(self, table: Table) -> None:
        kept_keys = sql.Identifier("mwaa_migrator_kept_" + table.name)
        execute(
            self._connection,
            sql.SQL(
                "create temporary table {} on commit drop as select source_key, target_key from {} "
                "where source_key is not null"
            ).format(kept_keys, DISPOSITIONS),
        )
        execute(self._connection, sql.SQL("analyze {}").format(kept_keys))
        self._translation.kept_keys[table.name] = kept_keys

    def _conflict_message(self, table: Table, source: sql.Composed, differing: int) -> str:
        names = identity_columns(table)
        query = sql.SQL("select {} from {} x join {} d using (source_row) where d.disposition = 'differs' limit 5")
        examples = fetch_all(self._connection, query.format(identifiers(names, "x"), source, DISPOSITIONS))
        message = (
            "{}: {} rows are in the target already with other content, such as {}. Nothing was merged; choose "
            "--on-conflict keep (the target's rows stay) or overwrite (the source's replace them)."
        )
        return message.format(table.name, differing, "; ".join(str(tuple(map(str, row))) for row in examples))


def _equal(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(" and ").join([sql.SQL("t.{0} = x.{0}").format(sql.Identifier(column)) for column in columns])


def _airflows_own(table: Table) -> sql.Composable:
    """Rows of the target that Airflow made and nobody changed: the source's settings replace them."""
    if table.name != "slot_pool":
        return sql.SQL("false")
    return sql.SQL("(t.pool = 'default_pool' and t.description = 'Default pool' and t.slots = {})").format(
        sql.Literal(airflow_database.default_pool_slots())
    )
