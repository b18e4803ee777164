"""The DAG version that old task instances get in Airflow 3.

Before Airflow 3 a run had no version, and Airflow 3 never hands a task instance without one to the executor when
somebody clears it. So the source's task instances get the target's own latest version of their DAG, as the scheduler
gives one to those of unfinished runs. It is not the version that ran. Those of DAGs that the target does not know get
none.
"""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE
from mwaa_migrator.merge.merge_tables import LATEST_VERSIONS
from mwaa_migrator.postgres import temporary_tables
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


def latest_versions(versions: sql.Composable) -> sql.Composed:
    """A query for ``dag_id, id`` of each DAG's latest version.

    Of those that the target itself has made, the highest is also the one that was created last, which is what Airflow
    up to 3.2 takes for the latest (``DagVersion.get_latest_version``).
    """
    query = sql.SQL("select distinct on (dag_id) dag_id, id from {} order by dag_id, version_number desc")
    return query.format(versions)


class TargetDagVersions:
    """The target's versions during a merge, as they are when it begins: a DAG can be deployed meanwhile."""

    def __init__(self, upgraded: UpgradedArtifact) -> None:
        self._upgraded = upgraded
        self.are_given = upgraded.gives_dag_versions
        if not self.are_given:
            return
        versions = upgraded.target.table(DAG_VERSION_REFERENCE.parent)
        # Nobody deletes them before this transaction has ended.
        execute(upgraded.connection, sql.SQL("select from {} for key share").format(versions))
        temporary_tables.create_from(upgraded.connection, LATEST_VERSIONS, latest_versions(versions))

    def gives(self, table: Table, column: Column) -> bool:
        """Whether this column of the table gets its value here."""
        return self.are_given and (table.name, column.name) == DAG_VERSION_REFERENCE[:2]

    def count_given(self) -> int:
        """How many of the source's task instances have a version now."""
        if not self.are_given:
            return 0
        query = sql.SQL("select count(*) from {} s join {} v using (dag_id)").format(
            self._upgraded.scratch.table(DAG_VERSION_REFERENCE.table), LATEST_VERSIONS
        )
        return int(fetch_value(self._upgraded.connection, query))
