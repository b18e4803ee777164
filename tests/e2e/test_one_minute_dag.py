"""DAGs on a one-minute schedule through a migration: no run is lost, none done twice, and the source runs nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, demo_source
from sources.environment_rows import paused
from tests.e2e.execution import execute, report

MINUTE = timedelta(minutes=1)
#: Runs, before the migration, of the DAG that catches up.
BEFORE = 3
#: Each task notes where it ran, beside Airflow: `<environment> <DAG> <run>` a line.
DAGS = """
import os
from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator


def note(**context):
    environment = os.environ["MWAA__CORE__AIRFLOW_ENV_NAME"]
    with open({record!r}, "a") as file:
        file.write("{{}} {{}} {{}}\\n".format(environment, context["dag"].dag_id, context["run_id"]))


for name, catchup in (("catches_up", True), ("takes_the_latest", False)):
    with DAG(name, start_date=datetime.fromisoformat({start!r}), schedule="* * * * *", catchup=catchup) as dag:
        first = PythonOperator(task_id="first", python_callable=note)
        first >> PythonOperator(task_id="second", python_callable=lambda: None)
    globals()[name] = dag
"""


@dataclass
class Moved:
    """What became of the runs. `start`: the first interval's begin.

    The source's DAGs were paused after `quiesced`, the target's were unpaused after `cut_over` and before `ended`.
    """

    source: Environment
    target: Environment
    start: datetime
    quiesced: datetime
    cut_over: datetime
    ended: datetime
    record: Path

    def effects(self) -> Counter[tuple[str, str]]:
        """How often the tasks of a run have run anywhere, by `(DAG, run)`."""
        lines = [line.split() for line in self.record.read_text().splitlines()]
        return Counter((dag, run) for _, dag, run in lines)

    def ran_in(self, environment: str) -> set[tuple[str, str]]:
        lines = [line.split() for line in self.record.read_text().splitlines()]
        return {(dag, run) for where, dag, run in lines if where == environment}


def scheduled(environment: Environment, dag: str) -> list[tuple[datetime, str, str]]:
    """`(begin of the data interval, state, run)` of a DAG's scheduled runs, in order."""
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select data_interval_start, state, run_id from dag_run "
            "where dag_id = %s and run_type = 'scheduled' order by 1",
            (dag,),
        )
        return cursor.fetchall()


def until(seconds: float, what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("minute")
    record = folder / "record"
    record.touch()
    dags = folder / "dags"
    dags.mkdir()
    start = datetime.now(UTC).replace(second=0, microsecond=0) - BEFORE * MINUTE
    (dags / "every_minute.py").write_text(DAGS.format(record=str(record), start=start.isoformat()))
    with AwsWithMwaa() as aws:
        application.deploy(aws)
        source = demo_source.make(aws, "old", "2.10.3", dags, None, print)
        assert len(scheduled(source, "catches_up")) >= BEFORE
        document = {
            "source": {"environment": "old"},
            "target": {"environment": "new", "airflowVersion": "2.11.2"},
            # Such that more than a minute passes between quiesce and cut-over.
            "options": {"pollSeconds": 25},
        }
        _, output = execute(aws, document)
        phases = report(aws, output)["phases"]
        started = {phase["name"]: datetime.fromisoformat(phase["started"]) for phase in phases}
        yield Moved(
            source,
            aws.mwaa.environment("new"),
            start,
            started["quiesce"],
            started["cut over"],
            datetime.now(UTC),
            record,
        )


def minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


@pytest.fixture(scope="module")
def gone_on(moved: Moved) -> Moved:
    """When the interval after the one of the migration's end has been run too."""

    def have_gone_on() -> bool:
        for dag in ("catches_up", "takes_the_latest"):
            runs = scheduled(moved.target, dag)
            if not any(begin >= minute(moved.ended) and state == "success" for begin, state, _ in runs):
                return False
            # On a busy machine a later run can be done before an earlier one.
            if not all(state == "success" for begin, state, _ in runs if begin < minute(moved.ended)):
                return False
        return True

    until(300, "the DAGs do not go on", have_gone_on)
    return moved


@pytest.mark.timeout(900)
def test_no_run_is_lost_and_none_is_done_twice(gone_on: Moved) -> None:
    runs = scheduled(gone_on.target, "catches_up")
    begins = [begin for begin, _, _ in runs]
    assert begins == [gone_on.start + number * MINUTE for number in range(len(runs))]
    # There was something to lose, and it was done in the target.
    begun = {run for _, _, run in scheduled(gone_on.source, "catches_up")}
    due = [run for begin, _, run in runs if gone_on.quiesced <= begin + MINUTE <= gone_on.cut_over]
    # The source may begin one between the phase's start and the pause; test_the_source_runs_nothing_more bounds it.
    missed = [run for run in due if run not in begun]
    assert len(missed) >= 1
    assert {("catches_up", run) for run in missed} <= gone_on.ran_in("new")
    effects = gone_on.effects()
    assert set(effects.values()) == {1}
    done = {run for _, state, run in runs if state == "success"}
    assert len(done) >= len(runs) - 1
    assert {("catches_up", run) for run in done} <= set(effects)


def test_without_catchup_it_goes_on_with_the_latest(gone_on: Moved) -> None:
    begins = [begin for begin, _, _ in scheduled(gone_on.target, "takes_the_latest")]
    known = [begin for begin, _, _ in scheduled(gone_on.source, "takes_the_latest")]
    assert begins[: len(known)] == known
    new = begins[len(known) :]
    # As after any pause: of the pause its last interval, or the one before where Airflow has not parsed the file since.
    assert minute(gone_on.cut_over) - 2 * MINUTE <= new[0] <= minute(gone_on.ended)
    assert new == [new[0] + number * MINUTE for number in range(len(new))]


def test_the_source_runs_nothing_more(gone_on: Moved) -> None:
    assert set(paused(gone_on.source).values()) == {True}
    known = [run for dag in ("catches_up", "takes_the_latest") for run in scheduled(gone_on.source, dag)]
    # A run may begin while the DAGs are being paused.
    assert max(begin + MINUTE for begin, _, _ in known) <= gone_on.quiesced + timedelta(seconds=10)
    assert gone_on.ran_in("old")
    assert not gone_on.ran_in("old") & gone_on.ran_in("new")
