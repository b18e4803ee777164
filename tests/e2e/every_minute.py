"""DAGs on a one-minute schedule, whose runs note where they were done, and what becomes of them in a migration."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
from werkzeug.wrappers import Response

from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from sources.environment_rows import paused

MINUTE = timedelta(minutes=1)
NAMES = ("catches_up", "takes_the_latest")
#: Intervals, before the DAGs are there, that the one which catches up runs first.
BEFORE = 3
#: Each run's first task notes it beside Airflow: `<environment> <DAG> <begin of the data interval>` a line.
_FILE = """
import os
from datetime import datetime

from airflow import DAG
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python import PythonOperator


def note(dag, data_interval_start, **context):
    environment = os.environ["AIRFLOW_ENV_NAME"]
    with open({record!r}, "a") as file:
        file.write("{{}} {{}} {{}}\\n".format(environment, dag.dag_id, data_interval_start.isoformat()))


for name, catchup in (("catches_up", True), ("takes_the_latest", False)):
    with DAG(name, start_date=datetime.fromisoformat({start!r}), schedule="* * * * *", catchup=catchup) as dag:
        first = PythonOperator(task_id="first", python_callable=note)
        first >> PythonOperator(task_id="second", python_callable=print)
    globals()[name] = dag
"""

#: A DAG and the begin of a data interval of its.
Interval = tuple[str, datetime]


@dataclass(frozen=True)
class Runs:
    """What has become of the runs. `start`: the first interval's begin.

    The source's DAGs were paused after `quiesced`, the target's were unpaused after `cut_over` and before `ended`.

    Attributes:
        source: its scheduled runs by DAG, as (begin of the data interval, state), in order; `target` likewise.
        paused: whether the source's DAGs were.
        noted: (environment, interval) as often as it was run there.
    """

    start: datetime
    quiesced: datetime
    cut_over: datetime
    ended: datetime
    source: dict[str, list[tuple[datetime, str]]]
    target: dict[str, list[tuple[datetime, str]]]
    paused: dict[str, bool]
    noted: Counter[tuple[str, Interval]]

    def effects(self) -> Counter[Interval]:
        """How often an interval has been run anywhere."""
        return Counter(interval for _, interval in self.noted.elements())

    def ran_in(self, environment: str) -> set[Interval]:
        return {interval for where, interval in self.noted if where == environment}


class EveryMinute:
    """The DAGs of one source."""

    def __init__(self, record: Path) -> None:
        self.start = minute(datetime.now(UTC)) - BEFORE * MINUTE
        self._record = record
        self._record.touch()

    def add_to(self, aws: AwsWithMwaa, source: Environment) -> None:
        """Adds them to a source that runs, and returns when the first intervals have been run there."""
        bucket = source.settings["SourceBucketArn"].split(":")[-1]
        body = _FILE.format(record=str(self._record), start=self.start.isoformat())
        aws.client("s3").put_object(Bucket=bucket, Key="source/dags/every_minute.py", Body=body.encode())
        # From 3.0 on a cron schedule has no data intervals otherwise.
        source.settings["AirflowConfigurationOptions"]["scheduler.create_cron_data_intervals"] = "True"
        until(180, "the DAGs are not parsed", lambda: set(NAMES) <= set(paused(source)))
        airflow = source.airflow
        assert airflow is not None
        for name in NAMES:
            done = airflow.command(["dags", "unpause", name], timeout=60)
            assert done.returncode == 0, done.stderr

        def have_run() -> bool:
            first = scheduled(source, "catches_up")[:BEFORE]
            return len(first) == BEFORE and all(state == "success" for _, state in first)

        until(180, "the DAGs have not caught up", have_run)

    def runs(
        self, source: Environment, target: Environment, quiesced: datetime, cut_over: datetime, ended: datetime
    ) -> Runs:
        """Returns when the interval after the one of the migration's end has been run too."""

        def have_gone_on() -> bool:
            for name in NAMES:
                runs = scheduled(target, name)
                if not any(begin >= minute(ended) and state == "success" for begin, state in runs):
                    return False
                # On a busy machine a later run can be done before an earlier one.
                if not all(state == "success" for begin, state in runs if begin < minute(ended)):
                    return False
            return True

        until(300, "the DAGs do not go on", have_gone_on)
        noted: Counter[tuple[str, Interval]] = Counter()
        in_target = {name: scheduled(target, name) for name in NAMES}
        for line in self._record.read_text().splitlines():
            environment, dag, begin = line.split()
            noted[environment, (dag, datetime.fromisoformat(begin))] += 1
        in_source = {name: scheduled(source, name) for name in NAMES}
        return Runs(self.start, quiesced, cut_over, ended, in_source, in_target, paused(source), noted)


class AMinuteWithoutDags:
    """An interceptor that holds a migration after its import, until a minute has begun in which no DAG is active."""

    def __init__(self, aws: AwsWithMwaa) -> None:
        functions = aws.deployed.functions
        self._verify, self._logs = functions["VerifyFunction"].name, functions["ListLogStreamsFunction"].name
        self._verified_at: datetime | None = None

    def __call__(self, request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        if request.operation.name == "Invoke":
            function = str(request.parameters["FunctionName"])
            if function.endswith(self._verify):
                self._verified_at = self._verified_at or datetime.now(UTC)
            elif function.endswith(self._logs) and self._verified_at is not None:
                next_minute = minute(self._verified_at) + MINUTE
                time.sleep(max(0.0, (next_minute - datetime.now(UTC)).total_seconds()))
        return carry_out()


def minute(of: datetime) -> datetime:
    return of.replace(second=0, microsecond=0)


def scheduled(environment: Environment, dag: str) -> list[tuple[datetime, str]]:
    """(begin of the data interval, state) of a DAG's scheduled runs, in order."""
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select data_interval_start, state from dag_run where dag_id = %s and run_type = 'scheduled' order by 1",
            (dag,),
        )
        return cursor.fetchall()


def until(seconds: float, what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
