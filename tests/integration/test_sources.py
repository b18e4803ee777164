"""The sources have in them what the tests of the engine count on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from local.installations.postgres import PostgresServer
from sources import Source, XCom, make_source
from sources.dags import contents
from sources.seed import NOT_FILLED, WITHOUT_RUN

# The first source of a version is made by running its DAGs.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", params=["1.10.12", "2.5.1", "2.10.3"])
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    # Not below pytest's directory: another pytest that starts meanwhile takes away the rights that the server's user
    # needs there.
    with tempfile.TemporaryDirectory(prefix="sources-") as temporary:
        directory = Path(temporary)
        with PostgresServer(directory / "postgres") as server:
            yield make_source(request.param, server, directory / "airflow")


def tables_with(source: Source, column: str) -> set[str]:
    rows = source.query(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = %(column)s",
        {"column": column},
    )
    return {table for (table,) in rows}


def run_id(source: Source, dag_id: str) -> str:
    ((run_id,),) = source.query(
        "SELECT run_id FROM dag_run WHERE dag_id = %(dag)s AND run_id IS NOT NULL", {"dag": dag_id}
    )
    return str(run_id)


def test_runs_have_ended_but_one(source: Source) -> None:
    rows = source.query(
        """
        SELECT dag_id, count(*) FILTER (WHERE state IN ('success', 'failed'))
        FROM dag_run WHERE run_id IS NOT NULL GROUP BY dag_id
        """
    )
    assert dict(rows) == {**contents.runs(source.installation.release), contents.UNFINISHED: 0}


def test_tasks_have_every_state(source: Source) -> None:
    assert {"success", "failed", "skipped", "upstream_failed"} <= {
        state for (state,) in source.query("SELECT DISTINCT state FROM task_instance")
    }
    unfinished = source.query(
        "SELECT task_id, state FROM task_instance WHERE dag_id = %(dag)s", {"dag": contents.UNFINISHED}
    )
    assert dict(unfinished) == contents.unfinished_states(source.installation.release)


def test_no_table_is_empty(source: Source) -> None:
    tables = [table for (table,) in source.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    empty = {
        table
        for table in tables
        if not table.startswith(NOT_FILLED) and not source.query(f'SELECT FROM "{table}" LIMIT 1')
    }
    assert empty == set()


def test_tries_are_recorded(source: Source) -> None:
    tries = dict(
        source.query("SELECT task_id, max(try_number) FROM task_instance WHERE dag_id = 'outcomes' GROUP BY 1")
    )
    assert tries["retried"] == 2
    assert tries["fails"] == 2
    assert source.query("SELECT FROM task_reschedule WHERE dag_id = 'outcomes'")
    failures = dict(source.query("SELECT task_id, count(*) FROM task_fail WHERE dag_id = 'outcomes' GROUP BY 1"))
    assert failures == {"fails": 2, "retried": 1}


def test_xcoms_read_back_with_airflows_own_api(source: Source) -> None:
    values = source.xcoms("values", run_id(source, "values"))
    expected: dict[XCom, object] = {XCom("push", key, -1): value for key, value in contents.XCOMS.items()}
    expected[XCom("push", "return_value", -1)] = contents.TEXTS
    if source.installation.release < (2, 0):
        expected.update({XCom("push", key, -1): value for key, value in contents.PICKLED_XCOMS.items()})
    assert values == expected


def test_mapped_tasks(source: Source) -> None:
    if "task_map" not in tables_with(source, "map_index"):
        assert source.installation.release < (2, 3)
        return
    states = source.query("SELECT map_index, state FROM task_instance WHERE task_id = 'fail_for_empty'")
    assert dict(states) == {0: "success", 1: "success", 2: "success", 3: "failed"}
    measured = source.xcoms("mapped", run_id(source, "mapped"))
    assert measured[XCom("measure", "return_value", 2)] == {"name": "三\n", "length": 2}


def test_secrets_are_encrypted_with_the_sources_key(source: Source) -> None:
    variables = {
        key.removeprefix("text_"): val.encode()
        for key, val in source.query("SELECT key, val FROM variable WHERE is_encrypted AND key LIKE 'text%%'", {})
    }
    key = Fernet(source.fernet_key)
    assert {name: key.decrypt(val).decode() for name, val in variables.items()} == contents.TEXTS
    ((password, extra),) = source.query(
        "SELECT password, extra FROM connection WHERE conn_id = 'warehouse' AND is_encrypted AND is_extra_encrypted"
    )
    assert key.decrypt(password.encode()).decode() == contents.TEXTS["quotes"]
    assert b"sslmode" in key.decrypt(extra.encode())


def test_rows_without_a_run_where_the_schema_allows_them(source: Source) -> None:
    with_run_id = tables_with(source, "run_id")
    keyed_by_date = {table for table in WITHOUT_RUN if table not in with_run_id}
    orphaned = {
        table
        for table in WITHOUT_RUN
        if source.query(
            f"SELECT FROM {table} AS row WHERE NOT EXISTS (SELECT FROM dag_run WHERE dag_run.dag_id = row.dag_id)"
        )
    }
    assert orphaned == keyed_by_date


def test_some_dags_are_paused(source: Source) -> None:
    paused = {dag_id for (dag_id,) in source.query("SELECT dag_id FROM dag WHERE is_paused")}
    assert paused == {"never_run", "paused_since"}
