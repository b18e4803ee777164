"""What identifies a row in another environment, where its surrogate key is another one."""

from __future__ import annotations

from typing import Any

from mwaa_migrator.airflow_schema.tables import (
    IDENTITIES,
    PAUSE_STATE_TABLE,
    secret_column_names,
    undeclared_references,
)
from mwaa_migrator.postgres.catalog import Column, Table, read_tables


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
    """Column to parent, for columns that hold another table's surrogate key, declared or not.

    ``tables`` are those of the whole schema: a reference counts whether its parent is merged or not.
    """
    references = dict(undeclared_references(table.name))
    for key in table.foreign_keys:
        parent = tables.get(str(key.parent))
        if len(key.columns) == 1 and parent is not None and key.parent_columns == (parent.surrogate_key,):
            references[key.columns[0]] = parent.name
    return references
