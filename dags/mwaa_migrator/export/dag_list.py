"""Which DAGs a source knows and in which files, so that a rehearsal can tell what its target has not parsed.

An object of its own beside the manifest, because an import does not need it and it grows with the number of DAGs.
"""

from __future__ import annotations

import os
from typing import Any, Collection

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import OWN_DAGS, PAUSE_STATE_TABLE
from mwaa_migrator.postgres.catalog import qualified
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.this_airflow import database as airflow_database

KNOWN_DAGS = "dags.json"
_IMPORT_ERRORS = "import_error"


def known_dags(connection: Any, schema: str, tables: Collection[str]) -> dict[str, Any]:
    """``{"dags": [{"dag_id", "file", "paused"}], "broken_files": [file]}``, our own DAGs left out.

    Only DAGs whose file is there still, which Airflow calls active. Files are paths below the DAG folder, or whole
    paths where they lie elsewhere; broken are those that this Airflow cannot import.
    """
    folder = airflow_database.dags_folder()
    found: dict[str, Any] = {"dags": [], "broken_files": []}
    if PAUSE_STATE_TABLE in tables:
        query = sql.SQL(
            "select dag_id, fileloc, is_paused from {} where is_active and not (dag_id = any(%s)) order by 1"
        )
        rows = fetch_all(connection, query.format(qualified(schema, PAUSE_STATE_TABLE)), (list(OWN_DAGS),))
        found["dags"] = [
            {"dag_id": dag, "file": below(folder, file or ""), "paused": bool(paused)} for dag, file, paused in rows
        ]
    if _IMPORT_ERRORS in tables:
        query = sql.SQL("select distinct filename from {} where filename is not null order by 1")
        rows = fetch_all(connection, query.format(qualified(schema, _IMPORT_ERRORS)))
        found["broken_files"] = [below(folder, file) for (file,) in rows]
    return found


def below(folder: str, file: str) -> str:
    """A file's path below a folder; the file itself where it is not in it."""
    for root in (folder, os.path.realpath(folder)):
        prefix = root.rstrip("/") + "/"
        if file.startswith(prefix):
            return file[len(prefix) :]
    return file
