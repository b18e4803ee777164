"""A query leaves the connection as it was: its search_path, its transaction, and the settings in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from mwaa_migrator.dag_tasks.dag_states import active_dags, count_running_tasks
from mwaa_migrator.mending.confs import find_confs_to_mend
from mwaa_migrator.mending.xcoms import find_xcoms_to_mend
from mwaa_migrator.merge.receipts import find_receipt
from mwaa_migrator.postgres import session
from mwaa_migrator.postgres.read_tables import read_tables, table_exists
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, keep_alive, search_path
from mwaa_migrator.scratch import run_migrations
from mwaa_migrator.this_airflow.airflows_engine import AirflowsEngine
from mwaa_migrator.this_airflow.database import MetadataDatabase
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS

from sources.deployment import Deployment

STATE = "select current_setting('search_path'), current_setting('work_mem'), txid_current()"


@pytest.fixture
def database(filled_source: Deployment) -> Iterator[MetadataDatabase]:
    with closing(psycopg2.connect(filled_source.dsn)) as connection:
        execute(connection, "set search_path to elsewhere, public")
        connection.commit()
        yield MetadataDatabase(AirflowsEngine(), connection, "2.10.3", "public", "")


@pytest.mark.parametrize(
    "query",
    [
        lambda database: read_tables(database.connection, "public"),
        lambda database: table_exists(database.connection, "public", "dag"),
        lambda database: find_receipt(database.connection, "none"),
        lambda database: keep_alive(database.connection),
        active_dags,
        count_running_tasks,
    ],
    ids=["read_tables", "table_exists", "find_receipt", "keep_alive", "active_dags", "count_running_tasks"],
)
def test_a_query_leaves_the_connection_as_it_was(
    database: MetadataDatabase, query: Callable[[MetadataDatabase], Any]
) -> None:
    execute(database.connection, "set local work_mem to '99MB'")
    before = fetch_all(database.connection, STATE)
    query(database)
    assert database.connection.get_transaction_status() == TRANSACTION_STATUS_INTRANS
    assert fetch_all(database.connection, STATE) == before


def test_definitions_name_no_schema_and_no_setting_remains(database: MetadataDatabase) -> None:
    tables = read_tables(database.connection, "public")
    assert not any("public." in index.definition for table in tables.values() for index in table.indexes)
    database.connection.rollback()
    assert fetch_value(database.connection, "show search_path") == "elsewhere, public"


def test_the_search_path_is_put_back_after_a_failure_too(database: MetadataDatabase) -> None:
    connection = database.connection
    with pytest.raises(KeyError), search_path(connection, "public"):
        raise KeyError("not of the database")
    assert fetch_value(connection, "show search_path") == "elsewhere, public"
    with pytest.raises(psycopg2.errors.UndefinedTable), search_path(connection, "public"):
        execute(connection, "select from no_such_table")
    connection.rollback()
    assert connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
    assert fetch_value(connection, "show search_path") == "elsewhere, public"
    with pytest.raises(psycopg2.OperationalError), search_path(connection, "public"):
        execute(connection, "select pg_terminate_backend(pg_backend_pid())")


def test_a_composed_query_takes_no_parameters(database: MetadataDatabase) -> None:
    with pytest.raises(AssertionError, match="no parameters"):
        execute(database.connection, psycopg2.sql.SQL("select %s"), (1,))


def test_no_statement_runs_between_the_two_that_keep_a_session_alive(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is a rollback, which would undo a statement of Airflow's."""
    connection = database.connection
    execute(connection, "create temporary table written (number integer)")
    connection.commit()
    between = threading.Event()

    def slow(connection: Any, query: Any, parameters: Any = None) -> int:
        rows = execute(connection, query, parameters)
        if query == "select 1":
            between.set()
            time.sleep(0.5)
        return rows

    monkeypatch.setattr(session, "execute", slow)
    monkeypatch.setitem(run_migrations._guards, connection, threading.RLock())
    connection.cursor_factory = run_migrations.GuardedCursor
    run_migrations.keep_alive_connections(0.01)
    assert between.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("insert into written values (1)")
    time.sleep(1)
    connection.commit()
    assert fetch_value(connection, "select count(*) from written") == 1


def test_a_search_for_xcoms_that_will_change_gives_up_in_time(database: MetadataDatabase) -> None:
    connection = database.connection
    slow = sql.SQL("pg_sleep(5) is not null")
    found, unread = find_xcoms_to_mend(connection, database.table("xcom"), slow, 1)
    assert (found.kinds(), unread) == ([], ["not all XComs were looked at: it would have taken more than 1 s"])
    assert connection.get_transaction_status() == TRANSACTION_STATUS_INTRANS
    assert fetch_value(connection, "show statement_timeout") == "0"


def test_a_search_for_what_will_change_reads_no_large_values(database: MetadataDatabase) -> None:
    connection, everything = database.connection, sql.SQL("true")
    large = "convert_to('[NaN, \"' || repeat('x', 5000000) || '\"]', 'UTF8')"
    execute(connection, f"update xcom set value = {large} where ctid = (select min(ctid) from xcom)")
    execute(connection, f"update dag_run set conf = {large} where ctid = (select min(ctid) from dag_run)")
    _, unread = find_xcoms_to_mend(connection, database.table("xcom"), everything, 60)
    assert unread == ["1 XCom of more than 4 MB was not looked at"]
    _, unread = find_confs_to_mend(connection, database.table("dag_run"), everything, 60)
    assert [line.split(":")[0] for line in unread] == ["1 conf of a run was not looked at"]
