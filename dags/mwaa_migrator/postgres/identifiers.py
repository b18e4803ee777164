"""Names of schemas, tables and columns in SQL, always quoted."""

from __future__ import annotations

from typing import Sequence

from psycopg2 import sql


def qualified(schema: str, table: str) -> sql.Identifier:
    """``"schema"."table"``."""
    return sql.Identifier(schema, table)


def column(alias: str, name: str) -> sql.Identifier:
    """``"alias"."name"``."""
    return sql.Identifier(alias, name)


def columns(names: Sequence[str], alias: str | None = None) -> sql.Composed:
    """``"a", "b"`` or ``"alias"."a", "alias"."b"``."""
    identifiers = [sql.Identifier(name) if alias is None else sql.Identifier(alias, name) for name in names]
    return sql.SQL(", ").join(identifiers)
