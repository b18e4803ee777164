"""Rows that break a foreign key, which a database has after a restore without its triggers."""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Constraint, Table


def without_parent(schema: str, key: Constraint) -> sql.Composable:
    """The condition on alias ``t`` under which a row's parent is missing."""
    given = [sql.SQL("{} is not null").format(identifiers.column("t", column)) for column in key.columns]
    pairs = [
        sql.SQL("{} = {}").format(identifiers.column("p", theirs), identifiers.column("t", ours))
        for theirs, ours in zip(key.parent_columns, key.columns)
    ]
    return sql.SQL("{} and not exists (select 1 from {} p where {})").format(
        sql.SQL(" and ").join(given), identifiers.qualified(schema, str(key.parent)), sql.SQL(" and ").join(pairs)
    )


def can_be_cleared(table: Table, key: Constraint, parent: Table) -> bool:
    """Whether the reference is to a surrogate key and may be NULL, so that the row can stay without its parent."""
    return key.parent_columns == (parent.surrogate_key,) and not table.column(key.columns[0]).not_null
