"""What a row means, as hashes that are the same in two databases which number their rows differently.

A reference counts as what it leads to. By these hashes verify finds a row of the artifact in the target, and the merge
notes down which rows it did not write.
"""

from __future__ import annotations

from typing import Container, Iterable

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns, surrogate_references
from mwaa_migrator.airflow_schema.tables import IDENTITIES, MATCHED_ONLY, USER_REFERENCES, secret_column_names
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.checksums import column_values, hashable, row_hash


class Meaning:
    """A table's columns as values that mean the same in both databases, whatever the rows' numbers are there.

    Left out are surrogate keys, secrets (compared decrypted), users (matched by name where possible) and references
    that no constraint declares and that lead to rows without an identity of their own (a job, a trigger).

    ``exported`` are the tables that the artifact holds. A row whose parent it does not hold says itself which one that
    is, or nobody does: an XCom has the names of its run. ``ignored`` columns are left out too.
    """

    def __init__(
        self,
        table: Table,
        tables: dict[str, Table],
        algorithm: str,
        default_template: str | None,
        exported: Container[str],
        ignored: Iterable[str] = (),
    ) -> None:
        self.table = table
        self._exported = exported
        self._algorithm = algorithm
        self._references = surrogate_references(table, tables)
        self._tables = tables
        self._default_template = default_template
        left_out: set[str | None] = set(secret_column_names(table.name)) | {table.surrogate_key}
        left_out |= {column for name, column in USER_REFERENCES if name == table.name} | set(ignored)
        if table.name in MATCHED_ONLY:
            left_out |= set(table.column_names) - set(identity_columns(table))
        self._columns = [column for column in table.columns if column.name not in left_out]
        self.identity = identity_columns(table)

    def of_source(self, scratch: str) -> sql.Composed:
        """A query for ``row`` (the ctid), ``identity`` and ``content`` (hashes) of each row in the scratch schema."""
        return self._select(scratch, self._exported)

    def of_target(self, schema: str) -> sql.Composed:
        """The same of each row in the target's schema."""
        return self._select(schema, self._tables)

    def _select(self, schema: str, filled: Container[str]) -> sql.Composed:
        joins: list[sql.Composable] = []
        values: dict[str, sql.Composable] = {}
        for column in self._columns:
            value = column_values([column], "t")[0]
            if column.name in self._references:
                resolved = self._resolve(schema, column.name, joins, filled)
                if resolved is None:
                    continue
                value = resolved
            values[column.name] = value
        identity = [values[name] for name in self.identity if name in values] or list(values.values())
        return sql.SQL("select t.ctid as row, {} as identity, {} as content from {} t {}").format(
            row_hash(identity, self._algorithm),
            row_hash(list(values.values()), self._algorithm),
            qualified(schema, self.table.name),
            sql.SQL(" ").join(joins),
        )

    def _resolve(
        self, schema: str, column: str, joins: list[sql.Composable], filled: Container[str]
    ) -> sql.Composable | None:
        """What the reference leads to, as a value; None where that has no identity to compare."""
        parent_name = self._references[column]
        parent = self._tables.get(parent_name)
        if parent is None or parent.surrogate_key is None:
            return None
        identity = identity_columns(parent)
        if parent_name == "log_template":
            identity = IDENTITIES["log_template"][:1]
        if not identity and column in self.identity:
            # It is what distinguishes the row, and leads to one that only its content distinguishes: an event.
            references = surrogate_references(parent, self._tables)
            identity = tuple(name for name in parent.column_names if name not in (parent.surrogate_key, *references))
        if not identity:
            return None
        source = sql.SQL("t.")
        if parent_name in filled or not set(identity) <= set(self.table.column_names):
            source = sql.SQL(f"p{len(joins)}.")
            joins.append(
                sql.SQL("left join {0} {1} on {1}.{2} = t.{3}").format(
                    qualified(schema, parent_name),
                    sql.Identifier(f"p{len(joins)}"),
                    sql.Identifier(parent.surrogate_key),
                    sql.Identifier(column),
                )
            )
        named = [source + sql.Identifier(name) for name in identity]
        if parent_name == "log_template":
            return sql.SQL("coalesce({}, {})").format(named[0], sql.Literal(self._default_template))
        return sql.SQL("row({})::text").format(
            sql.SQL(", ").join([hashable(parent.column(name), v) for name, v in zip(identity, named)])
        )
