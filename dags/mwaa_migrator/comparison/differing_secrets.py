"""Compares secrets between the scratch schema and the target: decrypted, because two encryptions of a value differ."""

from __future__ import annotations

from typing import Any, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import Decrypter
from mwaa_migrator.airflow_schema.tables import SECRET_COLUMNS, SECRET_NAMES
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.session import fetch_all, identifiers
from mwaa_migrator.this_airflow import database as airflow_database

#: Tables whose secrets have a name that is the same in both databases.
_BY_NAME = ("variable", "connection")


def differing_secrets(connection: Any, scratch: str, schema: str, table: Table) -> list[str]:
    """The names of the variables or connections whose secrets are not the source's in the target."""
    if table.name not in _BY_NAME:
        return []
    fernet = airflow_database.fernet()
    name = sql.Identifier(SECRET_NAMES[table.name])
    sides: list[dict[str, tuple[Any, ...]]] = []
    for place in (scratch, schema):
        query = sql.SQL("select {} from {} order by {}").format(
            identifiers(table.column_names), qualified(place, table.name), name
        )
        sides.append(_clear_values(table.name, table.column_names, fetch_all(connection, query), fernet))
    source, target = sides
    return sorted(key for key in source if key in target and source[key] != target[key])


def _clear_values(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], fernet: Any) -> dict[str, Any]:
    """Row name to the tuple of its secrets in clear, for comparing two databases with different ciphertexts."""
    decrypter = Decrypter(table, columns, fernet)
    values = {}
    for row in rows:
        text = ["t" if value is True else "f" if value is False else value for value in row]
        name = str(text[list(columns).index(SECRET_NAMES[table])])
        clear = decrypter.decrypt(text)
        secrets = [list(columns).index(secret.column) for secret in SECRET_COLUMNS[table] if secret.column in columns]
        values[name] = None if clear is None else tuple(clear[position] for position in secrets)
    return values
