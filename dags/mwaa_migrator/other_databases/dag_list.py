"""dags.json, as ``export/dag_list.py`` describes it, and the runs and task instances that are unfinished."""

from __future__ import annotations

import os
from typing import Any, Dict

from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS
from mwaa_migrator.export.dag_paths import path_below
from mwaa_migrator.export.unfinished_rules import MOST_LISTED, UNFINISHED
from mwaa_migrator.other_databases.row_cut import RowCut
from mwaa_migrator.other_databases.source import as_text, column_of, literal, name
from mwaa_migrator.other_databases.source_plan import SourcePlan
from mwaa_migrator.postgres.catalog import NUMBERS
from mwaa_migrator.this_airflow.configuration import dags_folder

_IMPORT_ERRORS = "import_error"


def read_dag_list(plan: SourcePlan) -> Dict[str, Any]:
    """``{"dags": [{"dag_id", "file", "paused"}], "broken_files": [file]}``, without our own DAGs."""
    source, own = plan.source, dags_folder()
    folders = [own, os.path.realpath(own)]
    found: Dict[str, Any] = {"dags": [], "broken_files": []}
    if DAG_TABLE in source.columns:
        is_active = "not is_stale" if "is_stale" in source.columns[DAG_TABLE] else "is_active"
        ours = ", ".join(literal(dag) for dag in OWN_DAGS)
        found["dags"] = [
            {"dag_id": as_text(dag), "file": path_below(folders, as_text(file) or ""), "paused": bool(paused)}
            for dag, file, paused in source.query(
                f"select dag_id, fileloc, is_paused from dag where {is_active} "  # nosec B608
                f"and dag_id not in ({ours}) order by 1"
            )
        ]
    if _IMPORT_ERRORS in source.columns:
        files = source.query("select distinct filename from import_error where filename is not null order by 1")
        found["broken_files"] = [path_below(folders, as_text(file) or "") for (file,) in files]
    return found


def unfinished(cut: RowCut) -> Dict[str, Any]:
    """``{"dag_runs": n, "task_instances": n, "listed": {"dag_runs": [...], "task_instances": [...]}}``."""
    source = cut.plan.source
    found: Dict[str, Any] = {"dag_runs": 0, "task_instances": 0, "listed": {}}
    for table_name, (is_unfinished, naming) in UNFINISHED.items():
        if table_name not in cut.plan.tables:
            continue
        table = cut.plan.tables[table_name]
        inside = cut.condition(table)
        condition = is_unfinished if inside is None else f"{is_unfinished} and {inside}"
        rows = f"from {name(table_name)} t where {condition}"
        found[table_name + "s"] = int(source.value(f"select count(*) {rows}"))
        columns = [column for column in naming if column in table.column_names]
        selected = ", ".join(
            column_of("t", column)
            if table.column(column).type in NUMBERS
            else source.field(table_name, table.column(column))
            for column in columns
        )
        found["listed"][table_name + "s"] = [
            {column: _readable(value) for column, value in zip(columns, row)}
            for row in source.query(f"select {selected} {rows} order by t.dag_id, 2 limit {MOST_LISTED}")
        ]
    return found


def _readable(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    text = as_text(value)
    # A time's zone, as an export from PostgreSQL writes it.
    return text + ":00" if text is not None and text.endswith("+00") and text[:4].isdigit() else text
