"""The database that stands for Redshift and for the shop."""

from __future__ import annotations

from typing import Any

import psycopg2

#: Its name.
DATABASE = "warehouse"


def run_statement(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs a statement in a transaction of its own; its rows, if it is a query."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
