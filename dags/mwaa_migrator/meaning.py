"""What a row means, as hashes that are the same in two databases which number their rows differently.

A reference counts as what it leads to. By these hashes verify finds a row of the artifact in the target, and the merge
notes down which rows it did not write.
"""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.catalog import Table, qualified
from mwaa_migrator.content import column_values, hashable, row_hash
from mwaa_migrator.identity import identity_columns, surrogate_references
from mwaa_migrator.tables import IDENTITIES, MATCHED_ONLY, USER_REFERENCES, secret_column_names


class Meaning:
    """A table's columns as values that mean the same in both databases, whatever the rows' numbers are there.

    Left out are surrogate keys, secrets (compared decrypted), users (matched by name where possible) and references
    that no constraint declares and that lead to rows without an identity of their own (a job, a trigger).
    """

    def __init__(self, table: Table, tables: dict[str, Table], algorithm: str, default_template: str | None) -> None:
        self.table = table
        self._algorithm = algorithm
        self._references = surrogate_references(table, tables)
        self._tables = tables
        self._default_template = default_template
        left_out: set[str | None] = set(secret_column_names(table.name)) | {table.surrogate_key}
        left_out |= {column for name, column in USER_REFERENCES if name == table.name}
        if table.name in MATCHED_ONLY:
            left_out |= set(table.column_names) - set(identity_columns(table))
        self._columns = [column for column in table.columns if column.name not in left_out]
        self.identity = identity_columns(table)

    def select(self, schema: str) -> sql.Composed:
        """``ctid, identity hash, content hash`` for each row of the table in ``schema``."""
        joins: list[sql.Composable] = []
        values: dict[str, sql.Composable] = {}
        for column in self._columns:
            value = column_values([column], "t")[0]
            if column.name in self._references:
                resolved = self._resolve(schema, column.name, joins)
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

    def _resolve(self, schema: str, column: str, joins: list[sql.Composable]) -> sql.Composable | None:
        """What the reference leads to, as a value; None where that has no identity to compare."""
        parent_name = self._references[column]
        parent = self._tables.get(parent_name)
        identity = identity_columns(parent) if parent is not None else ()
        if parent_name == "log_template":
            identity = IDENTITIES["log_template"][:1]
        if parent is None or not identity or parent.surrogate_key is None:
            return None
        alias = f"p{len(joins)}"
        joins.append(
            sql.SQL("left join {0} {1} on {1}.{2} = t.{3}").format(
                qualified(schema, parent_name),
                sql.Identifier(alias),
                sql.Identifier(parent.surrogate_key),
                sql.Identifier(column),
            )
        )
        named = [sql.SQL(alias + ".") + sql.Identifier(name) for name in identity]
        value = sql.SQL("row({})::text").format(
            sql.SQL(", ").join([hashable(parent.column(name), v) for name, v in zip(identity, named)])
        )
        if parent_name == "log_template":
            value = sql.SQL("coalesce({}, {})").format(named[0], sql.Literal(self._default_template))
        return value
