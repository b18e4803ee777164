"""Which of the source's rows will arrive otherwise than they are: counted and named beforehand.

The import mends what Airflow 3's migrations do not take (mending/), these migrations change some rows without a word,
and numbers that are kept exactly are rounded. Here the same rows are only looked for, XComs and confs for a limited
time, so that a check of a large source ends.
"""

from __future__ import annotations

from typing import List, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.column_limits import FRACTIONS
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.mending.confs import find_confs_to_mend
from mwaa_migrator.mending.mend_rows import ChangedRows, find_silent_changes, is_bytea
from mwaa_migrator.mending.named_rows import NamedRows
from mwaa_migrator.mending.rounded_numbers import find_rounded, is_exact
from mwaa_migrator.mending.xcoms import find_xcoms_to_mend
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple

#: For all XComs, and for all confs.
_SECONDS = 120.0


class WillChange(NamedTuple):
    """``unread`` says in sentences which rows nobody has looked at."""

    rows: List[ChangedRows]
    unread: List[str]


def find_rows_to_change(cut: HistoryCut, airflow_version: str | None) -> WillChange:
    """Of the rows inside the cut, for a source whose history ends in ``airflow_version``; None: in a 2.x.

    The connection is in a transaction.
    """
    found = WillChange(_rounded(cut), [])
    if airflow_version is None or version_tuple(airflow_version) < AIRFLOW_3:
        return found
    source, tables = cut.plan.source, cut.plan.tables
    for name, column, find in (("xcom", "value", find_xcoms_to_mend), ("dag_run", "conf", find_confs_to_mend)):
        if is_bytea(tables, name, column):
            condition = cut.condition(tables[name]) or sql.SQL("true")
            changed, unread = find(source.connection, source.table(name), condition, _SECONDS)
            found.rows.extend(_of(name, changed))
            found.unread.extend(unread)
    found.rows.extend(
        find_silent_changes(source.connection, source.schema, tables, source.revision, airflow_version, cut.condition)
    )
    return found


def _rounded(cut: HistoryCut) -> List[ChangedRows]:
    """Whatever Airflow they end in."""
    source, rounded = cut.plan.source, []
    for name, column in FRACTIONS:
        table = cut.plan.tables.get(name)
        if table is not None and column in table.column_names and is_exact(table.column(column)):
            rounded += find_rounded(source.connection, source.table(name), table, column, cut.condition(table))
    return rounded


def _of(table: str, changed: NamedRows) -> List[ChangedRows]:
    return [ChangedRows(table, rows, examples, reason) for reason, rows, examples in changed.kinds()]
