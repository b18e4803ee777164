"""The pause states of an environment's DAGs, and its running tasks, in the metadata database.

Sub-DAGs (Airflow 1.10 to 2.x) have rows of their own, with pause states of their own. Airflow pauses them with their
DAG, and so does this; what becomes active again is named, sub-DAGs too, so that all are as they were.

Where a schedule stands is left to Airflow. Its DAG processor works ``next_dagrun`` out at each parsing, of paused DAGs
too: from the last scheduled or backfilled run, and without catchup also from the clock. On unpausing, the scheduler
goes by what the row says. In a source, whose runs are its own, that is right. In a target it is as of the last parsing,
which knew nothing of runs that were merged since. ``catch_up_schedules`` has the details.
"""

from __future__ import annotations

import time
from typing import Any, Callable, List, Sequence

from psycopg2 import sql
from psycopg2.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from mwaa_migrator.airflow_schema.tables import DAG_TABLE, OWN_DAGS, RUN_TABLE
from mwaa_migrator.errors import DagsLocked
from mwaa_migrator.postgres.read_tables import column_names
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase

#: Task instances that an executor holds or will hold.
_RUNNING = ["queued", "running", "restarting", "shutdown"]

#: Airflow's scheduler holds the rows of a few DAGs while it creates their runs, and the DAG processor those of a file.
_TRIES = 10
_SECONDS_BETWEEN = 1.0
#: Milliseconds to wait for one row, and for all of them. A server looks for deadlocks after one second.
_LOCK_TIMEOUT = 3_000
_STATEMENT_TIMEOUT = 15_000
_OF_THE_MOMENT = (LockNotAvailable, DeadlockDetected, QueryCanceled)

#: Runs by which Airflow tells where a schedule stands (airflow.utils.types.DagRunType).
_AUTOMATED = ["scheduled", "backfill"]


def active_dags(database: MetadataDatabase) -> list[str]:
    """The DAGs that are not paused, without our own."""
    query = sql.SQL("select dag_id from {} where not is_paused and dag_id <> all({}) order by 1")
    rows = fetch_all(database.connection, query.format(database.table(DAG_TABLE), sql.Literal(list(OWN_DAGS))))
    return [dag for (dag,) in rows]


def set_paused(database: MetadataDatabase, dags: Sequence[str], paused: bool) -> int:
    """Commit this state for ``dags``, and return how many of them changed. Raises DagsLocked."""
    changed = change_states(database, dags, paused)
    database.connection.commit()
    return changed


def change_states(
    database: MetadataDatabase, dags: Sequence[str], paused: bool, sleep: Callable[[float], Any] = time.sleep
) -> int:
    """What ``set_paused`` does, in a transaction that the caller commits; it is begun here. Raises DagsLocked."""
    locked = _lock(database, _named(database, dags, with_sub_dags=paused), sleep)
    query = sql.SQL("update {} set is_paused = {paused} where dag_id = any({}) and is_paused is distinct from {paused}")
    return execute(
        database.connection,
        query.format(database.table(DAG_TABLE), _texts(locked), paused=sql.Literal(paused)),
    )


def catch_up_schedules(database: MetadataDatabase, dags: Sequence[str]) -> int:
    """Move schedules on that stand at or before a run of the DAG's; returns for how many DAGs.

    Such a ``next_dagrun`` is from a parsing before the last runs were merged. The scheduler would create what is due by
    it: nothing where a run of that date exists, but an interval once more where the source has deleted its run since,
    or was not asked for it (``historyDays``). So the row gets the last run itself, which the scheduler finds to exist,
    and goes on from, as a parsing would: to the next interval with catchup, else to the latest whole one. It need not
    wait for a parsing then, which takes minutes where there are thousands of DAGs. A row that stands later is right,
    whether the merge has set it to where the source stood (``merge/pause_states.py``) or a parsing since.
    """
    columns = column_names(database.connection, database.schema, DAG_TABLE)
    if "next_dagrun" not in columns:
        # The scheduler of 1.10 asks for the last run each time.
        return 0
    of_runs = column_names(database.connection, database.schema, RUN_TABLE)
    date = sql.Identifier("logical_date" if "logical_date" in of_runs else "execution_date")
    values = {"next_dagrun": sql.SQL("r.{}").format(date), "next_dagrun_create_after": sql.SQL("r.{}").format(date)}
    if "data_interval_end" in of_runs:
        # Runs from before 2.2 have none; Airflow works it out.
        values["next_dagrun_data_interval_start"] = sql.SQL("r.data_interval_start")
        values["next_dagrun_data_interval_end"] = sql.SQL("r.data_interval_end")
        values["next_dagrun_create_after"] = sql.SQL("coalesce(r.data_interval_end, r.{})").format(date)
    changes = [sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in values.items()]
    return execute(
        database.connection,
        sql.SQL(
            "update {dag} d set {changes} from unnest({dags}) n (dag_id) cross join lateral ("
            "select l.* from {run} l where l.dag_id = n.dag_id and l.run_type = any({types}) and l.{date} is not null "
            "order by l.{date} desc limit 1) r where d.dag_id = n.dag_id and d.next_dagrun <= r.{date}"
        ).format(
            dag=database.table(DAG_TABLE),
            run=database.table(RUN_TABLE),
            changes=sql.SQL(", ").join(changes),
            dags=_texts(dags),
            types=_texts(_AUTOMATED),
            date=date,
        ),
    )


def unknown_dags(database: MetadataDatabase, dags: Sequence[str]) -> list[str]:
    """Those of ``dags`` whose file this Airflow has not seen."""
    is_stale = "is_stale" in column_names(database.connection, database.schema, DAG_TABLE)
    query = sql.SQL(
        "select n.dag_id from unnest({}) n (dag_id) "
        "where not exists (select from {} d where d.dag_id = n.dag_id and {}) order by 1"
    ).format(_texts(dags), database.table(DAG_TABLE), sql.SQL("not d.is_stale" if is_stale else "d.is_active"))
    return [dag for (dag,) in fetch_all(database.connection, query)]


def _named(database: MetadataDatabase, dags: Sequence[str], with_sub_dags: bool) -> sql.Composable:
    """The condition for the rows of these DAGs, as Airflow's ``DagModel.set_is_paused`` has it."""
    named: sql.Composable = sql.SQL("dag_id = any({})").format(_texts(dags))
    # Airflow 3 has no sub-DAGs.
    if with_sub_dags and "root_dag_id" in column_names(database.connection, database.schema, DAG_TABLE):
        named = sql.SQL("({} or (is_subdag and root_dag_id = any({})))").format(named, _texts(dags))
    return named


def _lock(database: MetadataDatabase, named: sql.Composable, sleep: Callable[[float], Any]) -> List[str]:
    """Lock the rows in the order of their ids, which is the same for whoever does so; returns the ids.

    A try that has to wait for too long gives all of its locks back, so that nobody has to wait for it.
    """
    query = sql.SQL("select dag_id from {} where {} order by dag_id for update").format(
        database.table(DAG_TABLE), named
    )
    connection = database.connection
    connection.rollback()
    for tries_left in reversed(range(_TRIES)):
        execute(connection, f"set local lock_timeout to {_LOCK_TIMEOUT}")
        execute(connection, f"set local statement_timeout to {_STATEMENT_TIMEOUT}")
        try:
            locked = [dag for (dag,) in fetch_all(connection, query)]
        except _OF_THE_MOMENT as error:
            connection.rollback()
            if not tries_left:
                raise _locked(database, error) from error
            sleep(_SECONDS_BETWEEN)
        else:
            execute(connection, "set local statement_timeout to 0")
            return locked
    raise AssertionError("the last try returns or raises")


def _locked(database: MetadataDatabase, error: Exception) -> DagsLocked:
    """Names the other sessions that hold locks on rows of the table."""
    query = sql.SQL(
        "select a.pid, coalesce(nullif(a.application_name, ''), a.usename::text, '?') from pg_stat_activity a "
        "where a.pid <> pg_backend_pid() and exists (select from pg_locks l where l.pid = a.pid "
        "and l.relation = {}::regclass and l.granted and l.mode in ('RowShareLock', 'RowExclusiveLock')) order by 1"
    ).format(sql.Literal(database.table(DAG_TABLE).as_string(database.connection)))
    holders = ["{} ({})".format(*row) for row in fetch_all(database.connection, query)]
    database.connection.rollback()
    return DagsLocked(
        "Rows of DAGs stayed locked by another session through {} tries of {:.0f} s each ({}). No DAG was paused or "
        "unpaused. Sessions with locks on these rows now: {}. End a transaction that somebody has left open, and try "
        "again.".format(
            _TRIES, _LOCK_TIMEOUT / 1000, str(error).strip().splitlines()[0], ", ".join(holders) or "none any more"
        )
    )


def count_running_tasks(database: MetadataDatabase) -> int:
    """Without our own DAGs' tasks."""
    query = sql.SQL("select count(*) from {} where state = any({}) and dag_id <> all({})").format(
        database.table("task_instance"), sql.Literal(_RUNNING), sql.Literal(list(OWN_DAGS))
    )
    return int(fetch_value(database.connection, query))


def _texts(values: Sequence[str]) -> sql.Composable:
    """An array of texts, of none too."""
    return sql.SQL("{}::text[]").format(sql.Literal(list(values)))
