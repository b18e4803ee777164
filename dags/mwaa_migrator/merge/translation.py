"""The translated row source: a scratch table's rows as the target will hold them.

Surrogate keys are renumbered into the block that the target's sequence gave, and references follow. Everything that
the merge does with a table (compare, insert, overwrite, check) reads this one source.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns, surrogate_references
from mwaa_migrator.airflow_schema.tables import USER_REFERENCES
from mwaa_migrator.merge.key_blocks import Block
from mwaa_migrator.merge.log_templates import LogTemplates
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.session import fetch_all


class Translation:
    """``kept_keys`` grows while parents are merged: their rows that took another number than renumbering gives."""

    def __init__(
        self,
        scratch: str,
        schema: str,
        target_tables: dict[str, Table],
        merged: dict[str, Table],
        blocks: dict[str, Block],
        users: dict[int, int],
        log_templates: LogTemplates,
    ) -> None:
        self.kept_keys: dict[str, sql.Identifier] = {}
        self._scratch = scratch
        self._schema = schema
        self._target_tables = target_tables
        self._merged = merged
        self._blocks = blocks
        self._users = users
        self._log_templates = log_templates

    def rows(self, table: Table) -> sql.Composed:
        """A subquery with the columns of ``table`` and ``source_row``, the row's ctid in the scratch schema."""
        values: list[sql.Composable] = [sql.SQL("s.ctid as source_row")]
        joins: list[sql.Composable] = []
        references = surrogate_references(table, self._target_tables)
        for column in table.columns:
            value: sql.Composable = sql.SQL("s.") + sql.Identifier(column.name)
            if column.name == table.surrogate_key:
                value = self._blocks[table.name].renumber(value)
            elif (table.name, column.name) in USER_REFERENCES:
                value = _user_reference(value, self._users)
            elif column.name in references:
                value = self._reference(table, value, references[column.name], joins)
                if references[column.name] == "log_template":
                    value = self._log_templates.with_default(value)
            values.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
        return sql.SQL("(select {} from {} s {})").format(
            sql.SQL(", ").join(values), qualified(self._scratch, table.name), sql.SQL(" ").join(joins)
        )

    def source_key(self, table: Table) -> sql.Composable:
        """The key that a translated row, alias ``x``, had in the source; NULL where the table has none."""
        if not table.surrogate_key:
            return sql.SQL("null::bigint")
        offset = sql.Literal(self._blocks[table.name].offset)
        return sql.SQL("x.{} - {}").format(sql.Identifier(table.surrogate_key), offset)

    def _reference(
        self, table: Table, value: sql.Composable, parent: str, joins: list[sql.Composable]
    ) -> sql.Composable:
        if parent not in self._merged:
            return self._reference_by_identity(table, parent, joins)
        moved = self._blocks[parent].renumber_reference(value)
        if parent not in self.kept_keys:
            return moved
        alias = sql.Identifier(f"kept_{len(joins)}")
        joins.append(sql.SQL("left join {0} {1} on {1}.source_key = {2}").format(self.kept_keys[parent], alias, value))
        return sql.SQL("case when {0}.source_key is null then {1} else {0}.target_key end").format(alias, moved)

    def _reference_by_identity(self, table: Table, parent: str, joins: list[sql.Composable]) -> sql.Composable:
        """To a row that the artifact does not hold: an XCom finds its run by the names that it has of it itself."""
        found = self._target_tables.get(parent)
        identity = identity_columns(found) if found is not None else ()
        if found is None or found.surrogate_key is None or not identity or set(identity) - set(table.column_names):
            return sql.SQL("null::int")
        alias = sql.Identifier(f"parent_{len(joins)}")
        matches = [sql.SQL("{0}.{1} = s.{1}").format(alias, sql.Identifier(name)) for name in identity]
        joins.append(
            sql.SQL("left join {} {} on {}").format(
                qualified(self._schema, parent), alias, sql.SQL(" and ").join(matches)
            )
        )
        return sql.SQL("{}.{}").format(alias, sql.Identifier(found.surrogate_key))


def users_in_target(connection: Any, schema: str, authors: dict[str, str]) -> dict[int, int]:
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
