"""Mends the rows of one schema before Airflow 3's migrations meet them, and names those that they change."""

from __future__ import annotations

from typing import Any, Dict, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.silent_changes import SILENT_CHANGES, SilentChange
from mwaa_migrator.mending.confs import mend_confs
from mwaa_migrator.mending.xcoms import mend_xcoms
from mwaa_migrator.postgres.catalog import Table, read_tables
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.row_names import EXAMPLES, listed, row_name
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.this_airflow.migrations import applied_revisions
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple


def mend_rows(connection: Any, schema: str, revision: str, airflow_version: str, pickled_xcoms: str) -> List[str]:
    """Mend what the migrations from ``revision`` to ``airflow_version`` do not take; the caller commits.

    Return a line for each kind of change, ours and Airflow's own, with its rows counted and some of them named.
    """
    if version_tuple(airflow_version) < AIRFLOW_3:
        return []
    tables = read_tables(connection, schema)
    lines: List[str] = []
    if _is_bytea(tables, "xcom", "value"):
        lines += mend_xcoms(connection, schema, pickled_xcoms)
    if _is_bytea(tables, "dag_run", "conf"):
        lines += mend_confs(connection, schema)
    applied = applied_revisions(revision)
    for change in SILENT_CHANGES:
        is_to_come = change.revision not in applied and version_tuple(change.release) <= version_tuple(airflow_version)
        if is_to_come and change.table in tables and not set(change.needs) - set(tables[change.table].column_names):
            lines += _named(connection, schema, tables[change.table], change)
    return lines


def _is_bytea(tables: Dict[str, Table], table: str, column: str) -> bool:
    return table in tables and any((one.name, one.type) == (column, "bytea") for one in tables[table].columns)


def _named(connection: Any, schema: str, table: Table, change: SilentChange) -> List[str]:
    names = [name for name in change.names if name in table.column_names]
    query = sql.SQL("select count(*) over (), {} from {} t where {} order by 2 limit {}").format(
        row_name(names), qualified(schema, table.name), sql.SQL(change.condition), sql.Literal(EXAMPLES)
    )
    found = fetch_all(connection, query)
    if not found:
        return []
    rows = int(found[0][0])
    return [f"{rows} rows of {table.name} ({listed([name for _, name in found], rows)}): {change.told}"]
