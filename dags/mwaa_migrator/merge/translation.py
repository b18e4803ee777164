"""A scratch table's rows as the target will hold them.

Surrogate keys that are numbers move into the block that was taken from the target's sequence, and references follow.
All that the merge does with a table (compare, insert, overwrite, check) reads this one row source.
"""

from __future__ import annotations

from typing import Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns, is_named_by
from mwaa_migrator.airflow_schema.references import USER_REFERENCES, USER_TABLE, surrogate_references
from mwaa_migrator.airflow_schema.tables import LOG_TEMPLATE_TABLE
from mwaa_migrator.merge.dag_versions import TargetDagVersions
from mwaa_migrator.merge.key_blocks import KeyBlocks
from mwaa_migrator.merge.log_templates import TargetLogTemplates
from mwaa_migrator.merge.merge_tables import LATEST_VERSIONS
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


class Translation:
    def __init__(
        self,
        upgraded: UpgradedArtifact,
        blocks: dict[str, KeyBlocks],
        log_templates: TargetLogTemplates,
        dag_versions: TargetDagVersions,
    ) -> None:
        self._upgraded = upgraded
        self._blocks = blocks
        self._log_templates = log_templates
        self._dag_versions = dag_versions
        self._users = _users_in_target(upgraded)
        self._kept_keys: dict[str, sql.Identifier] = {}
        self._keys_of_base: dict[str, sql.Identifier] = {}

    def use_keys_of_base(self, table: str, keys: sql.Identifier) -> None:
        """Give the rows in ``keys``, ``source_key, target_key``, the keys that they have there, and not new ones."""
        self._keys_of_base[table] = keys

    def use_kept_keys(self, table: str, kept_keys: sql.Identifier) -> None:
        """From now on, lead references to the rows in ``kept_keys`` to the target's rows that stand for them."""
        self._kept_keys[table] = kept_keys

    def gives(self, table: Table, column: Column) -> bool:
        """Whether a column's value comes from the target alone."""
        return self._dag_versions.gives(table, column)

    def rows(self, table: Table) -> sql.Composed:
        """A subquery with the columns of ``table``, ``source_row``, the row's ctid in the scratch schema, and
        ``source_key``, its surrogate key there.
        """
        own: list[sql.Composable] = [sql.SQL("s.ctid as source_row")]
        if table.surrogate_key:
            own.append(sql.SQL("{} as source_key").format(identifiers.column("s", table.surrogate_key)))
        return self._translated(table, table.columns, self._upgraded.scratch.table(table.name), own)

    def identities(self, table: Table, columns: Sequence[str], source: sql.Composable) -> sql.Composed:
        """The same for some columns of ``source``, which has them in the source's numbers."""
        return self._translated(table, [table.column(name) for name in columns], source, [])

    def _translated(
        self, table: Table, columns: Sequence[Column], source: sql.Composable, own: Sequence[sql.Composable]
    ) -> sql.Composed:
        values = list(own)
        joins: list[sql.Composable] = []
        references = surrogate_references(table, self._upgraded.target_tables)
        for column in columns:
            value: sql.Composable = identifiers.column("s", column.name)
            if column.name == table.surrogate_key and table.name in {*self._blocks, *self._keys_of_base}:
                if table.name in self._blocks:
                    value = self._blocks[table.name].renumber(value)
                value = self._key_of_base(table.name, column, value, joins)
            elif self.gives(table, column):
                joins.append(sql.SQL("left join {} v on v.dag_id = s.dag_id").format(LATEST_VERSIONS))
                value = identifiers.column("v", "id")
            elif (table.name, column.name) in USER_REFERENCES:
                value = self._user_reference(value, column)
            elif column.name in references:
                value = self._reference(table, column, references[column.name], joins)
                if references[column.name] == LOG_TEMPLATE_TABLE:
                    value = self._log_templates.or_default(value)
            else:
                value = self._upgraded.scratch_value(table, column, "s")
            values.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
        return sql.SQL("(select {} from {} s {})").format(sql.SQL(", ").join(values), source, sql.SQL(" ").join(joins))

    def source_key(self, table: Table) -> sql.Composable:
        """The key that a translated row, alias ``x``, had in the source; NULL if the table has none."""
        return sql.SQL("x.source_key" if table.surrogate_key else "null::bigint")

    def moved(self, table: Table, key: sql.Composable) -> sql.Composable:
        """What the target makes of a key of the source's if it has no row in its place."""
        return self._blocks[table.name].renumber(key) if table.name in self._blocks else key

    def _key_of_base(
        self, table: str, column: Column, moved: sql.Composable, joins: list[sql.Composable]
    ) -> sql.Composable:
        """The key that an import before has given the row to which this column leads, or else ``moved``."""
        if table not in self._keys_of_base:
            return moved
        alias = f"base_{len(joins)}"
        joins.append(
            sql.SQL("left join {0} {1} on {1}.source_key = {2}").format(
                self._keys_of_base[table], sql.Identifier(alias), identifiers.column("s", column.name)
            )
        )
        return sql.SQL("coalesce({}, {})").format(identifiers.column(alias, "target_key"), moved)

    def _reference(self, table: Table, column: Column, parent: str, joins: list[sql.Composable]) -> sql.Composable:
        value = identifiers.column("s", column.name)
        if parent not in self._upgraded.tables:
            return self._reference_by_identity(table, column, parent, joins)
        moved: sql.Composable = value
        if parent in self._blocks:
            is_declared = any(key.columns == (column.name,) for key in table.foreign_keys)
            moved = self._blocks[parent].renumber_reference(value, is_declared)
        moved = self._key_of_base(parent, column, moved, joins)
        if parent not in self._kept_keys:
            return moved
        alias = sql.Identifier(f"kept_{len(joins)}")
        joins.append(sql.SQL("left join {0} {1} on {1}.source_key = {2}").format(self._kept_keys[parent], alias, value))
        return sql.SQL("case when {0}.source_key is null then {1} else {0}.target_key end").format(alias, moved)

    def _reference_by_identity(
        self, table: Table, column: Column, parent: str, joins: list[sql.Composable]
    ) -> sql.Composable:
        """To a row that the artifact does not hold: an XCom has the names of its run, and finds it by them."""
        found = self._upgraded.target_tables.get(parent)
        if found is None or found.surrogate_key is None or not is_named_by(table, found):
            return _null(column)
        identity = identity_columns(found)
        alias = f"parent_{len(joins)}"
        matches = [
            sql.SQL("{} = {}").format(identifiers.column(alias, name), identifiers.column("s", name))
            for name in identity
        ]
        joins.append(
            sql.SQL("left join {} {} on {}").format(
                self._upgraded.target.table(parent), sql.Identifier(alias), sql.SQL(" and ").join(matches)
            )
        )
        return identifiers.column(alias, found.surrogate_key)

    def _user_reference(self, value: sql.Composable, column: Column) -> sql.Composable:
        if not self._users:
            return _null(column)
        cases = [
            sql.SQL("when {} then {}::{}").format(sql.Literal(source), sql.Literal(target), sql.SQL(column.type))
            for source, target in sorted(self._users.items())
        ]
        return sql.SQL("case {}::text {} end").format(value, sql.SQL(" ").join(cases))


def _null(column: Column) -> sql.Composable:
    return sql.SQL("null::{}").format(sql.SQL(column.type))


def _users_in_target(upgraded: UpgradedArtifact) -> dict[str, str]:
    """What the source calls a user to what the target does, by user name; users whom it does not know are left out."""
    names: dict[str, str] = upgraded.artifact.manifest["user_names"]
    if not names or USER_TABLE not in upgraded.target_tables:
        return names
    query = sql.SQL("select username, id::text from {} where username = any({})").format(
        upgraded.target.table(USER_TABLE), sql.Literal(list(names.values()))
    )
    found = dict(fetch_all(upgraded.connection, query))
    return {user: found[name] for user, name in names.items() if name in found}
