"""Mends the rows of one schema before Airflow 3's migrations meet them, and names those that they change."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.silent_changes import SILENT_CHANGES, SilentChange
from mwaa_migrator.mending.confs import mend_confs
from mwaa_migrator.mending.xcoms import mend_xcoms
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.this_airflow.migrations import applied_revisions
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple
from mwaa_migrator.wording import counted, listed


def mend_rows(connection: Any, schema: str, revision: str, airflow_version: str, pickled_xcoms: str) -> List[str]:
    """Mend what the migrations from ``revision`` to ``airflow_version`` do not take; the caller commits.

    Return a line for each kind of change, ours and Airflow's own, with its rows counted and some of them named.
    """
    if version_tuple(airflow_version) < AIRFLOW_3:
        return []
    tables = read_tables(connection, schema)
    lines: List[str] = []
    if is_bytea(tables, "xcom", "value"):
        lines += mend_xcoms(connection, schema, pickled_xcoms)
    if is_bytea(tables, "dag_run", "conf"):
        lines += mend_confs(connection, schema)
    found = find_silent_changes(connection, schema, tables, revision, airflow_version)
    return lines + [change.line for change in found]


class ChangedRows(NamedTuple):
    """Rows of one table that change in one way; ``examples`` name a few of them."""

    table: str
    rows: int
    examples: Sequence[str]
    reason: str

    @property
    def line(self) -> str:
        return f"{counted(self.rows, 'row')} of {self.table} ({listed(self.examples, self.rows)}): {self.reason}"

    def as_json(self) -> Dict[str, Any]:
        return {"table": self.table, "rows": self.rows, "examples": list(self.examples), "reason": self.reason}


def find_silent_changes(
    connection: Any,
    schema: str,
    tables: Dict[str, Table],
    revision: str,
    airflow_version: str,
    condition: Callable[[Table], sql.Composable | None] = lambda table: None,
) -> List[ChangedRows]:
    """The rows that Airflow's migrations from ``revision`` to ``airflow_version`` will change without a word.

    ``condition`` gives one on alias ``t`` for the rows that count; None if all of them do.
    """
    applied = applied_revisions(revision)
    found: List[ChangedRows] = []
    for change in SILENT_CHANGES:
        is_to_come = change.revision not in applied and version_tuple(change.release) <= version_tuple(airflow_version)
        if is_to_come and change.table in tables and not set(change.needs) - set(tables[change.table].column_names):
            table = tables[change.table]
            found += _silently_changed(connection, schema, table, change, condition(table))
    return found


def _silently_changed(
    connection: Any, schema: str, table: Table, change: SilentChange, condition: sql.Composable | None
) -> List[ChangedRows]:
    names = [name for name in change.names if name in table.column_names]
    query = sql.SQL("select count(*) over (), {} from {} t where {}{} order by 2 limit {}").format(
        row_name(names, connection.get_parameter_status("server_encoding")),
        qualified(schema, table.name),
        sql.SQL(change.condition),
        sql.SQL("") if condition is None else sql.SQL(" and {}").format(condition),
        sql.Literal(EXAMPLES),
    )
    found = fetch_all(connection, query)
    return [ChangedRows(table.name, int(found[0][0]), [name for _, name in found], change.reason)] if found else []


def is_bytea(tables: Dict[str, Table], table: str, column: str) -> bool:
    return table in tables and any((one.name, one.type) == (column, "bytea") for one in tables[table].columns)
