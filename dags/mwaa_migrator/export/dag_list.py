"""dags.json: which DAGs a source knows, and in which files, for whoever compares them with those of the target.

It is an object of its own beside the manifest, because an import does not need it and it grows with the number of DAGs.
"""

from __future__ import annotations

import os
from typing import Any

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS
from mwaa_migrator.export.dag_paths import path_below
from mwaa_migrator.export.plan import ExportPlan
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.this_airflow.configuration import dags_folder

_IMPORT_ERRORS = "import_error"


def read_dag_list(plan: ExportPlan) -> dict[str, Any]:
    """``{"dags": [{"dag_id", "file", "paused"}], "broken_files": [file]}``, without our own DAGs.

    It has only DAGs whose file is still there, which Airflow calls active. Files are paths below the DAG folder, or
    whole paths if they are elsewhere; this Airflow cannot import the broken ones.
    """
    source, folders = plan.source, _folders(plan)
    found: dict[str, Any] = {"dags": [], "broken_files": []}
    if DAG_TABLE in plan.described:
        query = sql.SQL("select dag_id, fileloc, is_paused from {} where {} and dag_id <> all({}) order by 1")
        is_active = sql.SQL("not is_stale" if "is_stale" in plan.described[DAG_TABLE].column_names else "is_active")
        ours = sql.Literal(list(OWN_DAGS))
        rows = fetch_all(source.connection, query.format(source.table(DAG_TABLE), is_active, ours))
        found["dags"] = [
            {"dag_id": dag, "file": path_below(folders, file or ""), "paused": bool(paused)}
            for dag, file, paused in rows
        ]
    if _IMPORT_ERRORS in plan.described:
        query = sql.SQL("select distinct filename from {} where filename is not null order by 1")
        rows = fetch_all(source.connection, query.format(source.table(_IMPORT_ERRORS)))
        found["broken_files"] = [path_below(folders, file) for (file,) in rows]
    return found


def _folders(plan: ExportPlan) -> list[str]:
    """The DAG folder as this process knows it, and as the scheduler does, which may have another."""
    own, source = dags_folder(), plan.source
    folders = [own, os.path.realpath(own)]
    if DAG_TABLE in plan.described:
        # Our DAGs' files lie in the folder itself.
        query = sql.SQL("select distinct fileloc from {} where dag_id = any({}) and fileloc is not null")
        rows = fetch_all(source.connection, query.format(source.table(DAG_TABLE), sql.Literal(list(OWN_DAGS))))
        folders += [os.path.dirname(file) for (file,) in rows]
    return folders
