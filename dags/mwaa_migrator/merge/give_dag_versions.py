"""After an upgrade in place to Airflow 3: the DAG versions of task instances that have none.

Airflow's own migrations leave them without one, and one that is cleared then stays queued (``dag_versions.py``).
"""

from __future__ import annotations

import time
from typing import Any, Dict

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE
from mwaa_migrator.airflow_schema.tables import DAG_TABLE
from mwaa_migrator.merge.dag_versions import latest_versions
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database

#: An Airflow that was just upgraded parses every DAG anew. It is waited for as long as one more is known each time.
_PATIENCE_SECONDS = 30
_POLL_SECONDS = 2

_TABLE, _COLUMN, _VERSIONS = DAG_VERSION_REFERENCE


def give_dag_versions(progress: Progress) -> Dict[str, Any]:
    """``{"given_dag_version", "without_dag_version"}``: task instances that got the target's latest version of their
    DAG, and those that the target knows no DAG for. Done twice, it gives what has been lacking since.
    """
    with metadata_database() as target, progress.phase("versions"):
        _wait_for_versions(target, progress)
        given = 0
        # A transaction for each DAG: the scheduler is at work, and wants the rows of a run that somebody clears.
        for dag_id, version in fetch_all(target.connection, latest_versions(target.table(_VERSIONS))):
            given += _give(target, dag_id, version)
            target.connection.commit()
        without = sql.SQL("select count(*) from {} where {} is null").format(
            target.table(_TABLE), sql.Identifier(_COLUMN)
        )
        left = int(fetch_value(target.connection, without))
        return {"given_dag_version": given, "without_dag_version": left}


def _give(target: MetadataDatabase, dag_id: str, version: str) -> int:
    statement = sql.SQL("update {} set {column} = {} where dag_id = {} and {column} is null").format(
        target.table(_TABLE), sql.Literal(version), sql.Literal(dag_id), column=sql.Identifier(_COLUMN)
    )
    return int(execute(target.connection, statement))


def _wait_for_versions(target: MetadataDatabase, progress: Progress) -> None:
    """Until each DAG that Airflow has not given up has a version, or for so long no other has got one."""
    query = sql.SQL(
        "select count(*) from {} d where not is_stale and has_import_errors is not true "
        "and not exists (select from {} v where v.dag_id = d.dag_id)"
    ).format(target.table(DAG_TABLE), target.table(_VERSIONS))
    fewest, since = None, time.monotonic()
    while True:
        waiting = int(fetch_value(target.connection, query))
        target.connection.commit()
        if fewest is None or waiting < fewest:
            fewest, since = waiting, time.monotonic()
        if not waiting or time.monotonic() - since > _PATIENCE_SECONDS:
            return
        progress.say(f"versions: {waiting} DAGs are not parsed yet")
        time.sleep(_POLL_SECONDS)
