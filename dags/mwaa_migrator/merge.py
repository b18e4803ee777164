"""Merge: the upgraded rows go from the scratch schema into the target's tables, in one transaction.

Tables are taken parents first. For each, a *translated* row source is written once and used for everything: the
scratch table with its surrogate keys renumbered and its references carried along. Rows that the target has already
(the same identity) are *kept* as the target has them, or overwritten, or make the merge fail, as asked. Rows that
cannot be placed, because what they refer to is not in the target, are *set aside*. The others are inserted, and what
was inserted is read back and compared with what should have been, before the transaction commits.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator import airflow_database, bulk
from mwaa_migrator.catalog import Column, Table, in_foreign_key_order, qualified, read_tables
from mwaa_migrator.content import Checksum, checksum, column_values, row_hash
from mwaa_migrator.database import execute, fetch_all, fetch_value, identifiers, use_schema
from mwaa_migrator.errors import ContentDiffers, RowsConflict, RowsUnaccounted
from mwaa_migrator.keys import Block
from mwaa_migrator.log_templates import LogTemplates
from mwaa_migrator.progress import Progress
from mwaa_migrator.tables import (
    IDENTITIES,
    MATCHED_ONLY,
    PAUSE_STATE_TABLE,
    USER_REFERENCES,
    secret_column_names,
    undeclared_references,
)
from mwaa_migrator.upgrade import Upgraded

_DISPOSITIONS = "mwaa_migrator_dispositions"


class TableResult(NamedTuple):
    """What became of a table's rows: exported = merged + kept + set_aside.

    ``overwritten`` rows count as merged, ``kept_differing`` as kept. The checksums are over the merged rows.
    """

    exported: int
    merged: int
    kept: int
    set_aside: int
    overwritten: int = 0
    kept_differing: int = 0
    checksum_source: str = "0"
    checksum_target: str = "0"
    match: bool = True
    set_aside_reasons: dict[str, int] | None = None


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
        self._scratch = scratch
        self._schema = schema
        self._manifest = manifest
        self._upgraded = upgraded
        self._blocks = blocks
        self._on_conflict = on_conflict
        self._progress = progress
        self._tables = mergeable_tables(connection, scratch, schema, manifest)
        self._algorithm = manifest["checksum_algorithm"]
        self._incomplete: set = set()
        self._kept_parents: set = set()
        use_schema(connection, schema)
        self._transaction = fetch_value(connection, "select mod(txid_current(), 4294967296)::text")
        self._authors = _users_in_target(connection, schema, manifest["note_authors"])
        self._log_templates = LogTemplates(connection, scratch, schema, manifest)

    def run(self, in_bulk: list[str]) -> dict[str, TableResult]:
        """Merge all tables; raises RowsConflict, RowsUnaccounted or ContentDiffers, and then nothing may be kept."""
        removed = bulk.remove(self._connection, self._schema, self._tables, in_bulk)
        results = {}
        for name in self._order():
            begun = time.monotonic()
            results[name] = self._merge_table(self._tables[name], in_order=name not in in_bulk)
            note = f"{results[name].kept:,} kept, {results[name].set_aside:,} set aside"
            self._progress.table("merge", name, results[name].merged, time.monotonic() - begun, note=note)
        begun = time.monotonic()
        made = bulk.make_again(self._connection, removed)
        if made:
            seconds = time.monotonic() - begun
            self._progress.say(f"merge: {made} keys, indexes and foreign keys made again in {seconds:.1f} s")
        self._log_templates.keep_newest()
        for name, entry in self._manifest["tables"].items():
            if name not in results and name != PAUSE_STATE_TABLE and entry["rows"]:
                reason = {"the target's Airflow has no such table": entry["rows"]}
                results[name] = TableResult(entry["rows"], 0, 0, entry["rows"], set_aside_reasons=reason)
        return results

    def _order(self) -> list[str]:
        parents = {}
        for name, table in self._tables.items():
            parents[name] = [key.parent for key in table.foreign_keys if key.parent is not None]
            parents[name] += list(undeclared_references(name).values())
        return in_foreign_key_order(parents)

    def _merge_table(self, table: Table, in_order: bool) -> TableResult:
        exported = self._manifest["tables"][table.name]["rows"]
        moved = self._upgraded.set_aside.get(table.name, 0)
        reasons = {"moved by Airflow's migrations": moved} if moved else {}
        rows = self._upgraded.rows[table.name]
        if not rows:
            return TableResult(exported, 0, 0, moved, set_aside_reasons=reasons)
        source = self._translated(table)
        kept, differing, overwritten, aside = self._find_dispositions(table, source)
        if aside:
            self._incomplete.add(table.name)
            reasons.update(aside)
        inserted = self._insert(table, source, bool(kept or overwritten or aside), in_order)
        merged = inserted + overwritten
        set_aside = moved + sum(aside.values())
        if exported != merged + kept + set_aside:
            message = "{}: {} rows were exported; {} merged, {} kept and {} set aside do not add up to it."
            raise RowsUnaccounted(message.format(table.name, exported, merged, kept, set_aside))
        expected, actual = self._compare(table, source, overwritten, any_disposed=bool(kept or aside))
        if expected != actual:
            message = "{}: the merged rows have checksum {} ({} rows), and should have {} ({} rows)."
            raise ContentDiffers(message.format(table.name, actual.value, actual.rows, expected.value, expected.rows))
        return TableResult(
            exported,
            merged,
            kept,
            set_aside,
            overwritten,
            differing,
            expected.value,
            actual.value,
            True,
            reasons or None,
        )

    # The translated row source

    def _translated(self, table: Table) -> sql.Composed:
        """``(select s.ctid as source_row, ... as column, ...)`` over the scratch table, as the target will hold it."""
        values: list[sql.Composable] = [sql.SQL("s.ctid as source_row")]
        joins: list[sql.Composable] = []
        references = self._references(table)
        for column in table.columns:
            value: sql.Composable = sql.SQL("s.") + sql.Identifier(column.name)
            if column.name == table.surrogate_key:
                value = self._blocks[table.name].renumber(value)
            elif (table.name, column.name) in USER_REFERENCES:
                value = _user_reference(value, self._authors)
            elif column.name in references:
                value = self._reference(value, references[column.name], joins)
                if references[column.name] == "log_template":
                    value = self._log_templates.with_default(value)
            values.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
        return sql.SQL("(select {} from {} s {})").format(
            sql.SQL(", ").join(values), qualified(self._scratch, table.name), sql.SQL(" ").join(joins)
        )

    def _references(self, table: Table) -> dict[str, str]:
        return surrogate_references(table, self._tables)

    def _reference(self, value: sql.Composable, parent: str, joins: list[sql.Composable]) -> sql.Composable:
        if parent not in self._tables:
            return sql.SQL("null::int")
        moved = self._blocks[parent].renumber_reference(value)
        if parent not in self._kept_parents:
            return moved
        alias = sql.Identifier(f"kept_{len(joins)}")
        joins.append(sql.SQL("left join {0} {1} on {1}.source_key = {2}").format(_kept_keys(parent), alias, value))
        return sql.SQL("case when {0}.source_key is null then {1} else {0}.target_key end").format(alias, moved)

    # Rows that are not simply inserted

    def _find_dispositions(self, table: Table, source: sql.Composed) -> tuple[int, int, int, dict[str, int]]:
        """Fill the temporary table of rows that are not simply inserted.

        Returns the rows kept, those of them that differ, the rows overwritten, and rows set aside by reason.
        """
        execute(self._connection, f"drop table if exists pg_temp.{_DISPOSITIONS}")
        execute(
            self._connection,
            f"create temporary table {_DISPOSITIONS} (source_row tid, target_row tid, source_key bigint, "
            "target_key bigint, disposition text) on commit drop",
        )
        target = qualified(self._schema, table.name)
        if fetch_value(self._connection, sql.SQL("select exists (select 1 from {})").format(target)):
            self._find_same_identity(table, source)
            self._find_blocked(table, source)
        self._find_orphans(table, source)
        counts = dict(fetch_all(self._connection, f"select disposition, count(*) from {_DISPOSITIONS} group by 1"))
        if not counts:
            return 0, 0, 0, {}
        execute(self._connection, f"analyze {_DISPOSITIONS}")
        if table.surrogate_key:
            self._remember_kept_keys(table)
        same, differing = counts.pop("same", 0), counts.pop("differs", 0)
        overwritten = counts.pop("overwrite", 0)
        if differing and self._on_conflict == "fail":
            raise RowsConflict(self._conflict_message(table, source, differing))
        if overwritten:
            self._overwrite(table, source)
        return same + differing, differing, overwritten, counts

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
        conflict = sql.Literal("overwrite" if self._on_conflict == "overwrite" else "differs")
        execute(
            self._connection,
            sql.SQL(
                "insert into {} select distinct on (x.source_row) x.source_row, t.ctid, {}, {}, "
                "case when {} then 'same' when {} then 'overwrite' else {} end "
                "from {} x join {} t on {} order by x.source_row, t.ctid"
            ).format(
                sql.Identifier(_DISPOSITIONS),
                self._source_key(table),
                sql.SQL("t.{}").format(sql.Identifier(table.surrogate_key)) if table.surrogate_key else sql.SQL("null"),
                same,
                _airflows_own(table),
                conflict,
                source,
                qualified(self._schema, table.name),
                match,
            ),
        )

    def _source_key(self, table: Table) -> sql.Composable:
        if not table.surrogate_key:
            return sql.SQL("null::bigint")
        offset = sql.Literal(self._blocks[table.name].offset)
        return sql.SQL("x.{} - {}").format(sql.Identifier(table.surrogate_key), offset)

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
                    sql.Identifier(_DISPOSITIONS),
                    self._source_key(table),
                    sql.Literal(reason),
                    source,
                    qualified(self._schema, table.name),
                    _equal(key),
                ),
            )

    def _find_orphans(self, table: Table, source: sql.Composed) -> None:
        """Rows whose parent is not in the target: it was set aside itself, or its table is not merged."""
        for key in table.foreign_keys:
            if key.parent is None or any((table.name, column) in USER_REFERENCES for column in key.columns):
                continue
            if key.parent in self._tables and key.parent not in self._incomplete:
                continue
            if len(key.columns) == 1 and key.parent in self._tables:
                # A reference to a surrogate key was translated; to a row that was set aside it is NULL by now.
                missing = sql.SQL(
                    "x.{0} is null and exists (select 1 from {1} s where s.ctid = x.source_row and s.{0} is not null)"
                )
                condition = missing.format(sql.Identifier(key.columns[0]), qualified(self._scratch, table.name))
            else:
                given = [sql.SQL("x.{} is not null").format(sql.Identifier(column)) for column in key.columns]
                pairs = zip(key.parent_columns, key.columns)
                condition = sql.SQL("{} and not exists (select 1 from {} p where {})").format(
                    sql.SQL(" and ").join(given),
                    qualified(self._schema, key.parent),
                    sql.SQL(" and ").join(
                        [sql.SQL("p.{} = x.{}").format(sql.Identifier(p), sql.Identifier(c)) for p, c in pairs]
                    ),
                )
            execute(
                self._connection,
                sql.SQL(
                    "insert into {0} select x.source_row, null, {1}, null, {2} from {3} x "
                    "where {4} and not exists (select 1 from {0} d where d.source_row = x.source_row)"
                ).format(
                    sql.Identifier(_DISPOSITIONS),
                    self._source_key(table),
                    sql.Literal(f"its {key.parent} is not in the target"),
                    source,
                    condition,
                ),
            )

    def _remember_kept_keys(self, table: Table) -> None:
        self._kept_parents.add(table.name)
        execute(
            self._connection,
            sql.SQL(
                "create temporary table {} on commit drop as select source_key, target_key from {} "
                "where source_key is not null"
            ).format(_kept_keys(table.name), sql.Identifier(_DISPOSITIONS)),
        )
        execute(self._connection, sql.SQL("analyze {}").format(_kept_keys(table.name)))

    def _conflict_message(self, table: Table, source: sql.Composed, differing: int) -> str:
        names = identity_columns(table)
        query = sql.SQL("select {} from {} x join {} d using (source_row) where d.disposition = 'differs' limit 5")
        examples = fetch_all(
            self._connection, query.format(identifiers(names, "x"), source, sql.Identifier(_DISPOSITIONS))
        )
        message = (
            "{}: {} rows are in the target already with other content, such as {}. Nothing was merged; choose "
            "--on-conflict keep (the target's rows stay) or overwrite (the source's replace them)."
        )
        return message.format(table.name, differing, "; ".join(str(tuple(map(str, row))) for row in examples))

    def _overwrite(self, table: Table, source: sql.Composed) -> None:
        untouched = set(identity_columns(table)) | {table.surrogate_key}
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
                sql.Identifier(_DISPOSITIONS),
            ),
        )

    # Insert and compare

    def _insert(self, table: Table, source: sql.Composed, any_disposed: bool, in_order: bool) -> int:
        condition: sql.Composable = sql.SQL("")
        if any_disposed:
            condition = sql.SQL("where x.source_row not in (select source_row from {})").format(
                sql.Identifier(_DISPOSITIONS)
            )
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

    def _compare(
        self, table: Table, source: sql.Composed, overwritten: int, any_disposed: bool
    ) -> tuple[Checksum, Checksum]:
        """Checksums of what should have been written and of what this transaction wrote, as it lies in the table."""
        # An overwritten row keeps the number that it has in the target.
        columns = [column for column in table.columns if not (overwritten and column.name == table.surrogate_key)]
        merged: sql.Composable | None = None
        if any_disposed:
            merged = sql.SQL("t.source_row not in (select source_row from {} where disposition <> 'overwrite')").format(
                sql.Identifier(_DISPOSITIONS)
            )
        written = sql.SQL("t.xmin::text = {}").format(sql.Literal(self._transaction))
        target = qualified(self._schema, table.name)
        expected = checksum(self._connection, source, columns, self._algorithm, merged)
        actual = checksum(self._connection, target, columns, self._algorithm, written)
        return expected, actual


def mergeable_tables(connection: Any, scratch: str, schema: str, manifest: dict[str, Any]) -> dict[str, Table]:
    """The target's definitions of the tables that the artifact holds and the merge writes."""
    target = read_tables(connection, schema)
    upgraded = read_tables(connection, scratch)
    return {
        name: target[name]
        for name in manifest["tables"]
        if name in target and name in upgraded and name != PAUSE_STATE_TABLE
    }


def identity_columns(table: Table) -> tuple[str, ...]:
    """What identifies a row across environments; empty where only the whole content does."""
    if table.name in IDENTITIES:
        return tuple(IDENTITIES[table.name])
    for key in table.unique_keys:
        if key != (table.surrogate_key,):
            return key
    return ()


def compared_columns(table: Table) -> list[Column]:
    """The columns in which two rows of the same identity may differ, as far as the database can tell."""
    left_out = set(identity_columns(table)) | set(secret_column_names(table.name)) | {table.surrogate_key}
    return [column for column in table.columns if column.name not in left_out]


def surrogate_references(table: Table, tables: dict[str, Table]) -> dict[str, str]:
    """Column to parent, for columns that hold another table's surrogate key, declared or not."""
    references = dict(undeclared_references(table.name))
    for key in table.foreign_keys:
        parent = tables.get(str(key.parent))
        if len(key.columns) == 1 and parent is not None and key.parent_columns == (parent.surrogate_key,):
            references[key.columns[0]] = parent.name
    return references


def _equal(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(" and ").join([sql.SQL("t.{0} = x.{0}").format(sql.Identifier(column)) for column in columns])


def _kept_keys(table: str) -> sql.Identifier:
    return sql.Identifier("mwaa_migrator_kept_" + table)


def _airflows_own(table: Table) -> sql.Composable:
    """Rows of the target that Airflow made and nobody changed: the source's settings replace them."""
    if table.name != "slot_pool":
        return sql.SQL("false")
    return sql.SQL("(t.pool = 'default_pool' and t.description = 'Default pool' and t.slots = {})").format(
        sql.Literal(airflow_database.default_pool_slots())
    )


def _users_in_target(connection: Any, schema: str, authors: dict[str, str]) -> dict[int, int]:
    """The source's user ids to the target's, by user name; authors that the target does not know are left out."""
    if not authors:
        return {}
    query = sql.SQL("select username, id from {} where username = any(%s)").format(qualified(schema, "ab_user"))
    there = dict(fetch_all(connection, query, (list(authors.values()),)))
    return {int(user): there[name] for user, name in authors.items() if name in there}


def _user_reference(value: sql.Composable, users: dict[int, int]) -> sql.Composable:
    if not users:
        return sql.SQL("null::int")
    cases = [sql.SQL("when {} then {}").format(sql.Literal(a), sql.Literal(b)) for a, b in sorted(users.items())]
    return sql.SQL("case {} {} end").format(value, sql.SQL(" ").join(cases))
