"""Compares secrets of the scratch schema and the target decrypted, because two encryptions of a value differ."""

from __future__ import annotations

from typing import Any, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, ROW_NAMES, Decrypter
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.this_airflow.configuration import fernet

#: Tables whose rows have the same name in both databases.
_NAMED = ("variable", "connection")


def differing_secrets(scratch: ScratchSchema, table: Table) -> list[str]:
    """The names of the variables or connections whose secrets in the target are not the source's."""
    if table.name not in _NAMED:
        return []
    key = fernet()
    sides: list[dict[str, Any]] = []
    for place in (scratch.table(table.name), scratch.target.table(table.name)):
        query = sql.SQL("select {} from {} order by {}").format(
            identifiers.columns(table.column_names), place, sql.Identifier(ROW_NAMES[table.name])
        )
        sides.append(_secrets(table, fetch_all(scratch.connection, query), key))
    source, target = sides
    return sorted(name for name in source if name in target and source[name] != target[name])


def _secrets(table: Table, rows: Sequence[Sequence[Any]], key: Any) -> dict[str, Any]:
    """Row name to its secrets in clear; to None if this key does not decrypt them."""
    columns = table.column_names
    decrypter = Decrypter(table.name, columns, key)
    secrets = [columns.index(one.column) for one in ENCRYPTED_COLUMNS[table.name] if one.column in columns]
    values = {}
    for row in rows:
        text = ["t" if value is True else "f" if value is False else value for value in row]
        clear = decrypter.decrypt(text)
        name = str(text[columns.index(ROW_NAMES[table.name])])
        values[name] = None if clear is None else tuple(clear[position] for position in secrets)
    return values
