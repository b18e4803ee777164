"""Numbers that somebody keeps exactly (``numeric``) and Airflow as floating-point numbers: which get rounded."""

from __future__ import annotations

from typing import Any, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.mending.mend_rows import ChangedRows
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import fetch_all


def is_exact(column: Column) -> bool:
    return column.type.split("(")[0] == "numeric"


def find_rounded(
    connection: Any, place: sql.Composable, table: Table, column: str, condition: sql.Composable | None = None
) -> List[ChangedRows]:
    """The rows at ``place`` whose number changes; ``condition``, on alias ``t``, says which rows count (None: all)."""
    value = identifiers.column("t", column)
    names = [name for name in identity_columns(table) or table.primary_key if name in table.column_names]
    query = sql.SQL(
        "select count(*) over (), {0} from {1} t where {2}::double precision::numeric <> {2}{3} order by 2 limit {4}"
    ).format(
        row_name(names or table.column_names[:3], connection.get_parameter_status("server_encoding")),
        place,
        value,
        sql.SQL("") if condition is None else sql.SQL(" and {}").format(condition),
        sql.Literal(EXAMPLES),
    )
    found = fetch_all(connection, query)
    reason = f"their {column} is kept exactly, and is rounded to what a floating-point number holds"
    return [ChangedRows(table.name, int(found[0][0]), [name for _, name in found], reason)] if found else []
