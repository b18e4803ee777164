"""Every row of an environment's metadata database, to be compared before and after a migration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import psycopg2
from psycopg2 import sql

from local.mwaa.environment import Environment

OURS = "mwaa_migrator_%"
#: What a running Airflow writes by itself all the time, whether somebody migrates it or not.
ALIVE = {
    "dag": {"last_parsed_time", "last_pickled", "last_expired", "next_dagrun", "next_dagrun_data_interval_start"}
    | {"next_dagrun_data_interval_end", "next_dagrun_create_after", "processor_subdir", "has_task_concurrency_limits"},
    "job": {"latest_heartbeat", "end_date", "state"},
    "serialized_dag": {"last_updated", "data", "data_compressed", "dag_hash", "processor_subdir"},
    "dag_code": {"last_updated"},
    "dag_run": {"last_scheduling_decision"},
    # Each time a DAG is parsed its datasets are marked as in use.
    "dataset": {"updated_at"},
}
#: The audit log keeps what was done with our DAGs, as it does for every DAG.
AUDIT = "log"
#: Airflow makes permissions when it parses a DAG, and keeps them when that is deleted, as any other DAG's.
PERMISSIONS = ("ab_permission", "ab_permission_view", "ab_permission_view_role", "ab_role", "ab_view_menu")


def rows(environment: Environment, without: Collection[str] = ()) -> dict[str, Counter[str]]:
    """Every row of every table as text, without what is written all the time.

    Args:
        without: DAGs that run meanwhile; of them only the row in `dag` is there.
    """
    found: dict[str, Counter[str]] = {}
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns "
            "where table_schema = 'public' group by 1"
        )
        for table, columns in cursor.fetchall():
            kept = [sql.Identifier(name) for name in columns if name not in ALIVE.get(table, ())]
            query = sql.SQL("select row({})::text from {} where true").format(
                sql.SQL(", ").join(kept), sql.Identifier(table)
            )
            if table == AUDIT:
                query += sql.SQL(" and dag_id not like {} and event not like 'cli_%'").format(sql.Literal(OURS))
            if table == "job":
                # A scheduler that is started again has a new one.
                query += sql.SQL(" and job_type = 'LocalTaskJob'")
            if without and "dag_id" in columns and table != "dag":
                query += sql.SQL(" and (dag_id is null or dag_id <> all ({}))").format(sql.Literal(list(without)))
            cursor.execute(query)
            found[table] = Counter(text for (text,) in cursor.fetchall())
    return found


def paused(environment: Environment) -> dict[str, bool]:
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select dag_id, is_paused from dag where dag_id not like %s", (OURS,))
        return dict(cursor.fetchall())
