"""What a user finds in the target: the same runs, values and logs, by Airflow's own APIs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.installations.postgres import PostgresServer
from matrix.migration import IMPORT_VERSION, LOST, Migrated, Migrations
from matrix.rest_api import RestApi, web_server
from sources.dags import contents

VERSIONS = ("1.10.12", "2.5.1", "2.10.3")

#: Rows that only SQL could make and that refer to no run: Airflow's own migrations set them aside.
MAY_BE_SET_ASIDE = {"task_instance", "task_fail", "xcom", "rendered_task_instance_fields", "dag_run", "task_reschedule"}


@pytest.fixture(scope="module")
def migration() -> Iterator[Callable[..., Migrated]]:
    with tempfile.TemporaryDirectory(prefix="migrations-") as temporary:
        directory = Path(temporary)
        with PostgresServer(directory / "postgres") as server:
            migrations = Migrations(server, directory)
            yield lambda version, target=IMPORT_VERSION: migrations.migrate(version, target)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_arrives(migration: Callable[..., Migrated], version: str) -> None:
    migrated = migration(version)
    assert migrated.verified["verified"]
    for name, table in migrated.tables.items():
        assert table["exported"] == table["merged"] + table["kept"] + table["set_aside"], name
        assert table["checksum_source"] == table["checksum_target"], name
        assert not table["set_aside"] or name in MAY_BE_SET_ASIDE, name
    for name in ("dag_run", "task_instance", "xcom", "log", "job", "task_fail"):
        assert migrated.tables[name]["merged"] > 0, name


@pytest.mark.parametrize("version", VERSIONS)
def test_xcoms_have_the_same_values(migration: Callable[..., Migrated], version: str) -> None:
    """Pickled by 1.10, JSON of 2.x, of mapped tasks: read with Airflow's own API on both sides."""
    source, target = migration(version).source, migration(version).target
    runs = source.rows("select dag_id, run_id from dag_run where run_id is not null and dag_id in ('values', 'mapped')")
    assert runs
    for dag_id, run_id in runs:
        there, here = source.xcoms(dag_id, run_id), target.xcoms(dag_id, run_id)
        assert there
        assert here == there


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_have_the_same_values(migration: Callable[..., Migrated], version: str) -> None:
    target = migration(version).target
    variables = target.python(
        "import json; from airflow.models import Variable; from airflow.settings import Session;"
        "print(json.dumps({v.key: v.get_val() for v in Session().query(Variable)}))"
    )
    assert {name: variables["text_" + name] for name in contents.TEXTS} == contents.TEXTS
    connection = target.python(
        "import json; from airflow.models import Connection;"
        "c = Connection.get_connection_from_secrets('warehouse');"
        "print(json.dumps([c.host, c.login, c.password, c.port, c.extra_dejson]))"
    )
    expected = ["warehouse.example.com", "loader", contents.TEXTS["quotes"], 5439]
    assert connection == [*expected, {"sslmode": "require", "note": "line\nbreak ü"}]


@pytest.mark.parametrize("version", VERSIONS)
def test_dags_are_paused_as_they_were(migration: Callable[..., Migrated], version: str) -> None:
    states = "select dag_id, is_paused from dag where dag_id not like 'mwaa%%' order by 1"
    there = dict(migration(version).source.rows(states.replace("where", "where is_active and")))
    here = dict(migration(version).target.rows(states))
    assert there
    assert {dag: here[dag] for dag in there} == there


@pytest.fixture(scope="module", params=["1.10.12", "2.10.3"])
def opened(migration: Callable[..., Migrated], request: pytest.FixtureRequest) -> Iterator[tuple[Migrated, RestApi]]:
    """A migrated 2.11 with its DAGs parsed, and its web server."""
    migrated = migration(request.param)
    # The API's own schema refuses the missed SLA without a time, which only SQL could make.
    migrated.target.execute("update sla_miss set timestamp = now(), notification_sent = false where timestamp is null")
    migrated.target.program("dags", "reserialize", module="airflow")
    with web_server(migrated.target) as api:
        yield migrated, api


def test_rest_api_shows_every_run_and_task_instance(opened: tuple[Migrated, RestApi]) -> None:
    migrated, api = opened
    runs = migrated.target.rows("select dag_id, run_id, state from dag_run order by 1, 2")
    listed = api.all("dag_runs", "dags", "~", "dagRuns")
    assert sorted((run["dag_id"], run["dag_run_id"], run["state"]) for run in listed) == runs
    there = "select count(*) from dag_run where run_id is not null and execution_date is not null"
    assert len(runs) == migrated.source.value(there)
    # By wildcards, because a run id of 1.10 may have a slash, which no path of the API can hold.
    shown = api.all("task_instances", "dags", "~", "dagRuns", "~", "taskInstances")
    expected = migrated.target.rows("select dag_id, run_id, task_id, map_index, state from task_instance")
    assert {(ti["dag_id"], ti["dag_run_id"], ti["task_id"], ti["map_index"], ti["state"]) for ti in shown} == set(
        expected
    )


def test_rest_api_shows_xcoms(opened: tuple[Migrated, RestApi]) -> None:
    migrated, api = opened
    query = "select run_id, task_id, key from xcom where dag_id = 'values' and value <> '' order by 1, 2, 3"
    entries = migrated.target.rows(query)
    assert entries
    run_id, task_id, _ = entries[0]
    path = ("dags", "values", "dagRuns", run_id, "taskInstances", task_id, "xcomEntries")
    shown = api.get(*path, limit="1000")["xcom_entries"]
    assert {entry["key"] for entry in shown} >= {key for run, task, key in entries if (run, task) == (run_id, task_id)}
    assert api.get(*path, "end_of_copy")["value"] == contents.TEXTS["end_of_copy"]


def test_logs_are_looked_for_under_the_name_that_the_source_wrote(opened: tuple[Migrated, RestApi]) -> None:
    migrated, api = opened
    query = "select run_id, execution_date from dag_run where dag_id = 'daily' order by execution_date limit 1"
    run_id, date = migrated.target.rows(query)[0]
    names = {
        "1.10.12": f"daily/extract/{date.isoformat()}/1.log",
        "2.10.3": f"dag_id=daily/run_id={run_id}/task_id=extract/attempt=1.log",
    }
    log = migrated.target.home / "logs" / names[migrated.source.installation.version]
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("what the source's task said")
    shown = api.get("dags", "daily", "dagRuns", run_id, "taskInstances", "extract", "logs", "1", full_content="true")
    assert "what the source's task said" in shown["content"]


@pytest.mark.parametrize(
    ("version", "target", "path"),
    [
        ("2.5.1", "3.2.1", ["2.5.1", "2.11.2", "3.2.1"]),
        ("2.10.3", "3.2.1", ["2.10.3", "3.2.1"]),
        ("3.0.6", "3.3.1", ["3.0.6", "3.3.1"]),
    ],
)
def test_airflow_3_keeps_the_history(
    migration: Callable[..., Migrated], version: str, target: str, path: list[str]
) -> None:
    migrated = migration(version, target)
    assert migrated.path == path
    assert migrated.is_equal
    assert migrated.total("exported") == migrated.arrived + migrated.set_aside.total()
    assert LOST not in migrated.set_aside
