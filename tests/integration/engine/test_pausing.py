"""Pausing and unpausing in the databases of four Airflow versions: one statement, whatever else is at work there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from mwaa_migrator.dag_tasks import dag_states
from mwaa_migrator.dag_tasks.dag_states import (
    active_dags,
    catch_up_schedules,
    change_states,
    set_paused,
    unknown_dags,
)
from mwaa_migrator.errors import DagsLocked
from mwaa_migrator.postgres.read_tables import column_names
from mwaa_migrator.this_airflow.airflows_engine import AirflowsEngine
from mwaa_migrator.this_airflow.database import MetadataDatabase

from sources.deployment import Deployment

VERSIONS = ("1.10.12", "2.5.1", "2.11.2", "3.2.1")
AFTER_1_10 = VERSIONS[1:]
DAGS = [f"dag.{number:04}" for number in range(1, 3001)]

_REQUIRED = """
    select column_name, data_type from information_schema.columns
     where table_schema = 'public' and table_name = %s and is_nullable = 'NO' and column_default is null
"""
_ANY_VALUE = {"boolean": "false", "integer": "16", "uuid": "gen_random_uuid()", "timestamp with time zone": "now()"}


def insert(deployment: Deployment, table: str, rows: str, **values: str) -> None:
    """Inserts a row for each `n` of `rows`. Values are SQL; columns that must have one and get none have any."""
    required = {name: _ANY_VALUE.get(kind, "'x'") for name, kind in deployment.rows(_REQUIRED, (table,))}
    columns = {name for (name,) in deployment.rows(_COLUMNS, (table,))}
    row = {name: value for name, value in {**required, **values}.items() if name in columns}
    row = {name: value for name, value in row.items() if not (name == "id" and table == "dag_run")}
    deployment.execute(f"insert into {table} ({', '.join(row)}) select {', '.join(row.values())} from ({rows}) r")


_COLUMNS = "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s"


@pytest.fixture(scope="module", params=VERSIONS)
def filled(request: pytest.FixtureRequest, new_deployment: Callable[..., Deployment]) -> Deployment:
    """3,000 active DAGs, one of ours, and, before Airflow 3, one with an active sub-DAG and one that is paused."""
    deployment = new_deployment(request.param)
    if not has_sub_dags(deployment):
        deployment.execute("insert into dag_bundle (name) values ('x')")
    seen = {"is_paused": "false", "is_active": "true", "is_stale": "false", "is_subdag": "false"}
    numbers = "select 'dag.' || lpad(n::text, 4, '0') as dag_id from generate_series(1, 3000) n order by random()"
    insert(deployment, "dag", f"{numbers}", dag_id="dag_id", **seen)
    insert(deployment, "dag", "select", dag_id="'mwaa_migrator_export'", **seen)
    if has_sub_dags(deployment):
        nested = {"is_subdag": "true", "root_dag_id": "'with.subs'"}
        insert(deployment, "dag", "select", dag_id="'with.subs'", **seen)
        insert(deployment, "dag", "select", dag_id="'with.subs.on'", **{**seen, **nested})
        insert(deployment, "dag", "select", dag_id="'with.subs.off'", **{**seen, **nested, "is_paused": "true"})
    return deployment


def has_sub_dags(deployment: Deployment) -> bool:
    return deployment.installation.release[0] < 3


@pytest.fixture
def deployment(filled: Deployment, copy_of: Callable[[Deployment], Deployment]) -> Deployment:
    return copy_of(filled)


@pytest.fixture
def database(deployment: Deployment) -> Iterator[MetadataDatabase]:
    with closing(psycopg2.connect(deployment.dsn)) as connection:
        yield MetadataDatabase(AirflowsEngine(), connection, deployment.installation.version, "public", "")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_states, "_LOCK_TIMEOUT", 200)
    monkeypatch.setattr(dag_states, "_SECONDS_BETWEEN", 0.1)
    monkeypatch.setattr(dag_states, "_TRIES", 3)


def paused(deployment: Deployment) -> set[str]:
    return {dag for (dag,) in deployment.rows("select dag_id from dag where is_paused")}


def test_three_thousand_dags_are_paused_and_active_again(deployment: Deployment, database: MetadataDatabase) -> None:
    was_paused, active = paused(deployment), active_dags(database)
    subs = ["with.subs", "with.subs.on"] if has_sub_dags(deployment) else []
    assert active == sorted([*DAGS, *subs])
    assert set_paused(database, active, True) == len(active)
    assert paused(deployment) == {*was_paused, *active}
    assert set_paused(database, active, True) == 0
    begun = time.monotonic()
    assert set_paused(database, active, False) == len(active)
    assert time.monotonic() - begun < 10
    assert paused(deployment) == was_paused


def test_a_sub_dag_is_paused_with_its_dag_and_active_again_only_by_name(
    deployment: Deployment, database: MetadataDatabase
) -> None:
    if not has_sub_dags(deployment):
        assert not {"is_subdag", "root_dag_id"} & column_names(database.connection, "public", "dag")
        return
    assert set_paused(database, ["with.subs"], True) == 2
    assert paused(deployment) == {"with.subs", "with.subs.on", "with.subs.off"}
    assert set_paused(database, ["with.subs", "with.subs.on"], False) == 2
    assert paused(deployment) == {"with.subs.off"}


def test_none_is_nothing(database: MetadataDatabase) -> None:
    assert set_paused(database, [], True) == 0
    assert unknown_dags(database, []) == []
    assert catch_up_schedules(database, []) == 0


def test_a_row_that_another_session_keeps_locked_is_tried_again_and_then_named(
    deployment: Deployment, database: MetadataDatabase, impatient: None
) -> None:
    with closing(psycopg2.connect(deployment.dsn, application_name="a scheduler")) as other:
        with other.cursor() as cursor:
            cursor.execute("select from dag where dag_id = 'dag.2000' for update")
            pid = other.get_backend_pid()
            with pytest.raises(DagsLocked, match=rf"through 3 tries.*lock.*now: {pid} \(a scheduler\)"):
                set_paused(database, DAGS, True)
            assert paused(deployment) & set(DAGS) == set()
            # Nothing of ours stays locked.
            cursor.execute("select count(*) from (select from dag for update nowait) d")
        threading.Timer(0.4, other.rollback).start()
        assert set_paused(database, DAGS, True) == 3000


def test_rows_are_locked_in_the_order_of_their_ids(deployment: Deployment, database: MetadataDatabase) -> None:
    """So two sessions that both pause DAGs wait for each other and never get into a deadlock."""
    with closing(psycopg2.connect(deployment.dsn)) as other, other.cursor() as cursor:
        cursor.execute("select from dag where dag_id = 'dag.1500' for update")
        waiting = threading.Thread(target=set_paused, args=(database, list(reversed(DAGS)), True))
        waiting.start()
        deadline = time.monotonic() + 10
        with closing(psycopg2.connect(deployment.dsn)) as third, third.cursor() as looking:
            while time.monotonic() < deadline:
                looking.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
                if looking.fetchall() == [(1,)]:
                    break
            looking.execute("select dag_id from dag where dag_id like 'dag.%' order by 1 for update skip locked")
            free = [dag for (dag,) in looking.fetchall()]
            third.rollback()
        other.rollback()
        waiting.join()
    assert free == DAGS[1500:]
    assert paused(deployment) >= set(DAGS)


def test_what_is_changed_is_not_committed_unless_the_caller_does(
    deployment: Deployment, database: MetadataDatabase
) -> None:
    assert change_states(database, DAGS, True) == 3000
    assert paused(deployment) & set(DAGS) == set()
    database.connection.rollback()
    assert paused(deployment) & set(DAGS) == set()


def test_dags_that_airflow_has_not_seen_are_unknown(deployment: Deployment, database: MetadataDatabase) -> None:
    unseen = {"is_paused": "true", "is_active": "false", "is_stale": "true"}
    insert(deployment, "dag", "select", dag_id="'gone'", **unseen)
    assert unknown_dags(database, ["gone", "dag.0001", "nowhere"]) == ["gone", "nowhere"]


def at(minute: int, hour: int = 10) -> str:
    return f"timestamptz '2026-03-01 {hour}:{minute:02}:00+00'"


def moment(minute: int, hour: int = 10) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def test_airflow_1_10_keeps_no_next_run(deployment: Deployment, database: MetadataDatabase) -> None:
    keeps_one = "next_dagrun" in column_names(database.connection, "public", "dag")
    assert keeps_one is (deployment.installation.release[0] > 1)
    assert catch_up_schedules(database, DAGS) == 0


@pytest.fixture
def scheduled(deployment: Deployment) -> Deployment:
    """Each DAG stands at 10:00. Runs of 10:05 came since to dag.0001, and of other kinds and dates to others."""
    deployment.execute(f"update dag set next_dagrun = {at(0)}, next_dagrun_create_after = {at(1)}")
    for dag, kind, minute, interval in (
        ("dag.0001", "scheduled", 4, True),
        ("dag.0001", "scheduled", 5, True),
        ("dag.0001", "manual", 30, True),
        ("dag.0002", "scheduled", 0, False),
        ("dag.0003", "manual", 5, True),
        ("dag.0004", "backfill", 7, True),
    ):
        ends = at(minute + 1) if interval else "null"
        starts = at(minute) if interval else "null"
        dates = {"execution_date": at(minute), "logical_date": at(minute), "run_after": at(minute + 1)}
        run = {"dag_id": f"'{dag}'", "run_id": f"'{kind} {minute}'", "run_type": f"'{kind}'", "state": "'success'"}
        templates = {"log_template_id": "null", "data_interval_start": starts, "data_interval_end": ends}
        insert(deployment, "dag_run", "select", **run, **dates, **templates)
    return deployment


@pytest.mark.parametrize("filled", AFTER_1_10, indirect=True)
def test_a_schedule_that_stands_before_the_last_run_goes_on_from_it(
    scheduled: Deployment, database: MetadataDatabase
) -> None:
    assert catch_up_schedules(database, [*DAGS, "nowhere"]) == 3
    database.connection.commit()
    rows: Any = scheduled.rows(
        "select dag_id, next_dagrun, next_dagrun_create_after, next_dagrun_data_interval_start, "
        "next_dagrun_data_interval_end from dag where dag_id < 'dag.0005' order by 1"
    )
    assert rows == [
        ("dag.0001", moment(5), moment(6), moment(5), moment(6)),
        # Older runs have no interval; Airflow works it out.
        ("dag.0002", moment(0), moment(0), None, None),
        # A run by hand moves no schedule.
        ("dag.0003", moment(0), moment(1), None, None),
        ("dag.0004", moment(7), moment(8), moment(7), moment(8)),
    ]


@pytest.mark.parametrize("filled", AFTER_1_10, indirect=True)
def test_a_schedule_that_stands_after_the_last_run_stays(scheduled: Deployment, database: MetadataDatabase) -> None:
    scheduled.execute(f"update dag set next_dagrun = {at(8)}, next_dagrun_create_after = null")
    assert catch_up_schedules(database, DAGS) == 0


ONE_MINUTE = """
import json, os
from datetime import datetime, timedelta, timezone
import airflow
from airflow import DAG, settings
from airflow.models import DagModel, DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session

release = tuple(int(part) for part in airflow.__version__.split(".")[:2])
if release >= (3, 0):
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.timetables.interval import CronDataIntervalTimetable
    schedule = CronDataIntervalTimetable("* * * * *", "UTC")
else:
    from airflow.operators.empty import EmptyOperator
    schedule = "* * * * *"
now = datetime.now(timezone.utc).replace(second=0, microsecond=0)

def make(catchup):
    start = now - timedelta(minutes=30)
    dag = DAG(
        "minutes_" + str(catchup), schedule=schedule, start_date=start, catchup=catchup, max_active_runs=99,
        is_paused_upon_creation=True,
    )
    EmptyOperator(task_id="task", dag=dag)
    return dag

def parse(dag):
    if release >= (3, 0):
        from airflow.serialization.serialized_objects import LazyDeserializedDAG, SerializedDAG
        SerializedDAG.bulk_write_to_db("x", None, [dag])
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name="x")
    else:
        dag.sync_to_db()
        SerializedDagModel.write_dag(dag)

def scheduler():
    if release < (2, 6):
        from airflow.jobs.scheduler_job import SchedulerJob
        return SchedulerJob(subdir=os.devnull)
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    return SchedulerJobRunner(Job()) if release >= (3, 0) else SchedulerJobRunner(Job(), subdir=os.devnull)
"""
#: Parses the DAGs as the target did before their last runs came: it knows of none.
PARSE = """
for catchup in (True, False):
    parse(make(catchup))
print("null")
"""
#: The scheduler's loops until nothing is due; the minutes before now of the runs that it creates.
SCHEDULE = """
runner, date = scheduler(), "logical_date" if release >= (3, 0) else "execution_date"
before = set()
with create_session() as session:
    before = {run.id for run in session.query(DagRun)}
for loop in range(60):
    with create_session() as session:
        due, _ = DagModel.dags_needing_dagruns(session)
        due = list(due)
        runner._create_dag_runs(due, session)
    if not due:
        break
with create_session() as session:
    created = [
        [run.dag_id, round((now - getattr(run, date)).total_seconds() / 60)]
        for run in session.query(DagRun) if run.id not in before
    ]
print(json.dumps(sorted(created)))
"""


@pytest.mark.parametrize("version", AFTER_1_10)
def test_the_scheduler_creates_what_the_sources_would_have(
    new_deployment: Callable[..., Deployment], copy_of: Callable[[Deployment], Deployment], version: str
) -> None:
    """The source ran a one-minute DAG until five minutes ago, and deleted its older runs. Then it is unpaused here."""
    parsed = new_deployment(version)
    if not has_sub_dags(parsed):
        parsed.execute("insert into dag_bundle (name) values ('x')")
    parsed.python(ONE_MINUTE + PARSE)
    for dag, minute in [(dag, minute) for dag in ("minutes_True", "minutes_False") for minute in (8, 7, 6, 5)]:
        began = f"date_trunc('minute', now()) - interval '{minute} minutes'"
        dates = {"execution_date": began, "logical_date": began, "data_interval_start": began, "run_after": began}
        dates |= {"data_interval_end": f"{began} + interval '1 minute'"}
        run = {"dag_id": f"'{dag}'", "run_id": f"'scheduled {minute}'", "run_type": "'scheduled'"}
        insert(parsed, "dag_run", "select", **run, **dates, state="'success'", log_template_id="null")
    merged = parsed.value("select date_trunc('minute', now())")
    unpause(parsed, catches_up=False)
    doubled = copy_of(parsed)
    unpause(parsed, catches_up=True)
    # With catchup each interval since the last run, without it the latest whole one.
    late = round((datetime.now(UTC) - merged).total_seconds() // 60)
    expected = {"minutes_True": [*range(1, 5 + late)], "minutes_False": [1]}
    assert created(parsed) in (expected, {**expected, "minutes_True": [*range(1, 6 + late)]})
    # Had the schedule been left as it stood, the deleted intervals would have run once more.
    assert created(doubled)["minutes_True"][-22:] == [*range(9 + late, 31 + late)]


def unpause(deployment: Deployment, *, catches_up: bool) -> None:
    with closing(psycopg2.connect(deployment.dsn)) as connection:
        database = MetadataDatabase(AirflowsEngine(), connection, deployment.installation.version, "public", "")
        dags = ["minutes_False", "minutes_True"]
        change_states(database, dags, False)
        if catches_up:
            # Without catchup, the parsing that knew of no run has chosen the latest interval already.
            assert catch_up_schedules(database, dags) == 1
        connection.commit()


def created(deployment: Deployment) -> dict[str, list[int]]:
    """The runs that the scheduler creates, in minutes before now."""
    found: dict[str, list[int]] = {}
    for dag, minute in deployment.python(ONE_MINUTE + SCHEDULE):
        found.setdefault(dag, []).append(minute)
    return found
