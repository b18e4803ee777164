"""A table's rows as hashes that are the same in two databases which number their rows differently.

A reference counts as what it leads to. By these hashes verify finds a row of the artifact in the target, and the merge
notes which rows it did not write.
"""

from __future__ import annotations

from typing import Container, Iterable

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ciphertext_columns
from mwaa_migrator.airflow_schema.identity import (
    MADE_BY_AIRFLOW_TOO,
    identity_columns,
    is_named_by,
)
from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE, USER_REFERENCES, surrogate_references
from mwaa_migrator.airflow_schema.tables import LOG_TEMPLATE_TABLE
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import hashable, row_hash
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


class ComparableRows:
    """Queries for the rows of one table, in the scratch schema and in the target.

    Left out are surrogate keys, secrets (compared decrypted), users (matched by name if possible) and references that
    no constraint declares and that lead to rows without an identity of their own (a job, a trigger).
    """

    def __init__(
        self, upgraded: UpgradedArtifact, table: Table, default_log_filename: str, ignored: Iterable[str] = ()
    ) -> None:
        """
        Args:
            default_log_filename: the log template that a run without one has.
            ignored: columns that are left out as well.
        """
        self.table = table
        self.identity = identity_columns(table)
        self._upgraded = upgraded
        self._default_log_filename = default_log_filename
        self._algorithm = upgraded.target.checksum_algorithm
        self._references = surrogate_references(table, upgraded.target_tables)
        left_out: set[str | None] = {*ciphertext_columns(table.name), *ignored}
        left_out |= {table.surrogate_key} - set(self.identity)
        left_out |= {column for name, column in USER_REFERENCES if name == table.name}
        if upgraded.gives_dag_versions and table.name == DAG_VERSION_REFERENCE.table:
            left_out.add(DAG_VERSION_REFERENCE.column)
        left_out |= upgraded.times_of_migrations(table.name)
        if table.name in MADE_BY_AIRFLOW_TOO:
            left_out |= set(table.column_names) - set(self.identity)
        self._columns = [column for column in table.columns if column.name not in left_out]

    def without(self, columns: Iterable[str]) -> ComparableRows:
        """The same rows, hashed without these columns."""
        return ComparableRows(self._upgraded, self.table, self._default_log_filename, columns)

    def of_source(self) -> sql.Composed:
        """A query for ``row`` (its ctid), ``identity`` and ``content`` (hashes) of each row in the scratch schema."""
        return self._select(self._upgraded.scratch.name, self._upgraded.exported)

    def of_target(self) -> sql.Composed:
        """The same for each row in the target."""
        return self._select(self._upgraded.target.schema, self._upgraded.target_tables)

    def _select(self, schema: str, filled: Container[str]) -> sql.Composed:
        """``filled`` are the tables that have rows in ``schema``.

        A row whose parent the artifact does not hold says itself which one that is, or nobody does: an XCom has the
        names of its run.
        """
        joins: list[sql.Composable] = []
        values: dict[str, sql.Composable] = {}
        for column in self._columns:
            in_scratch = schema == self._upgraded.scratch.name
            given = self._upgraded.scratch_value(self.table, column, "t") if in_scratch else None
            value = hashable(column, given or identifiers.column("t", column.name))
            if column.name in self._references:
                parent = self._parent_value(schema, column.name, joins, filled)
                if parent is None:
                    continue
                value = parent
            values[column.name] = value
        identity = [values[name] for name in self.identity if name in values] or list(values.values())
        return sql.SQL("select t.ctid as row, {} as identity, {} as content from {} t {}").format(
            row_hash(identity, self._algorithm),
            row_hash(list(values.values()), self._algorithm),
            identifiers.qualified(schema, self.table.name),
            sql.SQL(" ").join(joins),
        )

    def _parent_value(
        self, schema: str, column: str, joins: list[sql.Composable], filled: Container[str]
    ) -> sql.Composable | None:
        """What the reference leads to, as a value; None if that has no identity to compare."""
        parent_name = self._references[column]
        parent = self._upgraded.target_tables.get(parent_name)
        if parent is None or parent.surrogate_key is None:
            return None
        identity = self._parent_identity(parent, column)
        if not identity:
            return None
        alias = "t"
        if parent_name in filled or not is_named_by(self.table, parent):
            alias = f"p{len(joins)}"
            joins.append(
                sql.SQL("left join {} {} on {} = {}").format(
                    identifiers.qualified(schema, parent_name),
                    sql.Identifier(alias),
                    identifiers.column(alias, parent.surrogate_key),
                    identifiers.column("t", column),
                )
            )
        values = [identifiers.column(alias, name) for name in identity]
        if parent_name == LOG_TEMPLATE_TABLE:
            return sql.SQL("coalesce({}, {})").format(values[0], sql.Literal(self._default_log_filename))
        return sql.SQL("row({})::text").format(
            sql.SQL(", ").join([hashable(parent.column(name), value) for name, value in zip(identity, values)])
        )

    def _parent_identity(self, parent: Table, column: str) -> tuple[str, ...]:
        identity = identity_columns(parent)
        if parent.name == LOG_TEMPLATE_TABLE:
            # A template is found by its file name alone, as a run's logs are.
            return identity[:1]
        if not identity and column in self.identity:
            # Only the reference distinguishes the row, and leads to one that only its content distinguishes: an event.
            references = surrogate_references(parent, self._upgraded.target_tables)
            return tuple(name for name in parent.column_names if name not in (parent.surrogate_key, *references))
        return identity
