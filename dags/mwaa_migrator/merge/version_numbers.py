"""Numbers and times of DAG versions: the source's come before those that the target has made.

Airflow runs a DAG by its latest version and writes the next one after it. The latest is the one that was created last
up to Airflow 3.2, and the one with the highest number from 3.3 on (``DagVersion.get_latest_version``); of the
serialized DAGs and of the code it is the one that was created, or updated, last. A source can have been deployed to
after the target parsed the DAGs, so both are seen to. Nothing here deletes a version: in Airflow 3.0 its task
instances would go with it.
"""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.airflow_schema.references import DAG_VERSION_REFERENCE
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, DAG_VERSION_COLUMN
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact

_VERSIONS = DAG_VERSION_REFERENCE.parent
#: The columns by which Airflow takes the latest row of a table, where the table has them.
_TIMES = ("created_at", "last_updated")


def make_room(upgraded: UpgradedArtifact) -> None:
    """Before the source's versions are merged: number the target's own above them, each DAG's in their order.

    Versions that an earlier import has brought get the source's numbers again. The lock keeps others from adding
    versions until this transaction ends; a DAG processor that waits for it parses its file again.
    """
    connection, target = upgraded.connection, upgraded.target.table(_VERSIONS)
    # Rows of DAGs before those of versions, as Airflow's DAG processor locks them.
    of_dags = sql.SQL("select from {} d where dag_id in (select dag_id from {}) for key share")
    execute(connection, of_dags.format(upgraded.target.table(DAG_TABLE), upgraded.scratch.table(_VERSIONS)))
    execute(connection, sql.SQL("lock table {} in share row exclusive mode").format(target))
    # The merge knows its own rows by their transaction, and these, by the savepoint, have another.
    execute(connection, "savepoint before_numbering")
    # Negative at first, because each number must be unique at every moment.
    statement = sql.SQL(
        """
        with source as (select id, dag_id, version_number from {source}),
             highest as (select dag_id, max(version_number) as number from source group by 1),
             own as (select t.dag_id, min(t.version_number) as lowest from {target} t
                      where not exists (select from source s where s.id = t.id) group by 1)
        update {target} t
           set version_number = - coalesce(
                 (select s.version_number from source s where s.id = t.id),
                 t.version_number + greatest(h.number - o.lowest + 1, 0))
          from highest h left join own o using (dag_id)
         where h.dag_id = t.dag_id
        """
    )
    execute(connection, statement.format(source=upgraded.scratch.table(_VERSIONS), target=target))
    positive = sql.SQL("update {} set version_number = - version_number where version_number < 0")
    execute(connection, positive.format(target))
    execute(connection, "release savepoint before_numbering")


def has_versions(upgraded: UpgradedArtifact) -> bool:
    """Whether the source brings versions of DAGs, as from Airflow 3 on."""
    return _VERSIONS in upgraded.tables and bool(upgraded.rows[_VERSIONS])


def keep_latest(upgraded: UpgradedArtifact) -> int:
    """After the source's are merged: have the target's own latest version be created last; returns of how many DAGs.

    The rows that the version has in other tables (the serialized DAG, the code) get the same times.
    """
    connection = upgraded.connection
    own = sql.SQL(
        """
        select distinct on (t.dag_id) t.id, t.dag_id from {target} t
         where not exists (select from {source} s where s.id = t.id) order by t.dag_id, t.version_number desc
        """
    ).format(target=upgraded.target.table(_VERSIONS), source=upgraded.scratch.table(_VERSIONS))
    changed = 0
    for table in _tables(upgraded):
        columns = [column for column in _TIMES if column in table.column_names]
        key = "id" if table.name == _VERSIONS else DAG_VERSION_COLUMN
        later = [
            sql.SQL("{0} = greatest(clock_timestamp(), t.{0}, l.{0} + interval '1 microsecond')").format(
                sql.Identifier(column)
            )
            for column in columns
        ]
        is_older = [sql.SQL("t.{0} <= l.{0}").format(sql.Identifier(column)) for column in columns]
        latest = [sql.SQL("max({0}) as {0}").format(sql.Identifier(column)) for column in columns]
        statement = sql.SQL(
            """
            update {table} t set {later}
              from ({own}) o join (select dag_id, {latest} from {source} group by 1) l using (dag_id)
             where t.{key} = o.id and ({is_older})
            """
        ).format(
            table=upgraded.target.table(table.name),
            source=upgraded.scratch.table(table.name),
            own=own,
            key=sql.Identifier(key),
            later=sql.SQL(", ").join(later),
            latest=sql.SQL(", ").join(latest),
            is_older=sql.SQL(" or ").join(is_older),
        )
        rows = execute(connection, statement)
        changed += rows if table.name == _VERSIONS else 0
    return changed


def _tables(upgraded: UpgradedArtifact) -> list[Table]:
    """The table of versions and, of those that are merged, the ones that have one row for each version."""
    return [
        table
        for table in upgraded.tables.values()
        if table.name == _VERSIONS or (DAG_VERSION_COLUMN,) in table.unique_keys
    ]
