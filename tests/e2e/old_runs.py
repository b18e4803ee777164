"""DAGs that leave every kind of old run in a source, and what their runs do in an Airflow 3 that has them."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
import requests

from local.mwaa import rest_api
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from sources.environment_rows import paused
from tests.e2e.every_minute import until

#: The run that each of them has in the source.
RUN = "old"
#: Fails in the source, at both attempts of its last task, and succeeds anywhere else.
FAILED = "old_failed"
#: Waits for a pool that has no slots.
UNFINISHED = "old_unfinished"
#: Waits for a file in the environment's own folder, deferred.
DEFERRED = "old_deferred"
#: Counts its runs in an XCom that each run reads from the one before.
COUNTED = "old_counted"
DAGS = (FAILED, UNFINISHED, DEFERRED, COUNTED)
POOL = "closed"
FILE = "go_on"
ASSET = "orders"
#: What the first task of FAILED returns. For an object the web interface would load an editor from the internet.
XCOM = "3 orders from Zürich"
NOTE = "paid twice, see ticket"

_FILE = """
import os
from datetime import datetime, timedelta

from airflow import DAG
try:
    from airflow.providers.standard.triggers.file import FileTrigger
    from airflow.sdk import Asset, BaseOperator
except ImportError:
    from airflow.datasets import Dataset as Asset
    from airflow.models.baseoperator import BaseOperator
    from airflow.triggers.file import FileTrigger

from demo_operators import PythonOperator, schedule

ENVIRONMENT = os.environ["AIRFLOW_ENV_NAME"]


class WaitForFile(BaseOperator):
    def execute(self, context):
        self.defer(trigger=FileTrigger(filepath="{file}", poke_interval=1), method_name="resume")

    def resume(self, context, event=None):
        print("resumed in", ENVIRONMENT)


def work(ti, **context):
    print("attempt", ti.try_number, "in", ENVIRONMENT)
    if ENVIRONMENT == "{source}":
        raise RuntimeError("not in the source")


def count(ti, **context):
    before = ti.xcom_pull(task_ids="count", key="runs", include_prior_dates=True)
    ti.xcom_push(key="runs", value=(before or 0) + 1)


def dag(dag_id):
    return DAG(dag_id, start_date=datetime(2026, 1, 1), catchup=False, **schedule(None))


with dag("{failed}") as failed:
    PythonOperator(task_id="extract", python_callable=lambda: {xcom!r}, outlets=[Asset("{asset}")]) >> PythonOperator(
        task_id="work", python_callable=work, retries=1, retry_delay=timedelta(seconds=1)
    )
with dag("{unfinished}") as unfinished:
    first = PythonOperator(task_id="first", python_callable=print)
    first >> PythonOperator(task_id="second", python_callable=print, pool="{pool}")
with dag("{deferred}") as deferred:
    WaitForFile(task_id="wait")
with dag("{counted}") as counted:
    PythonOperator(task_id="count", python_callable=count)
"""

_STATES = "select dag_id, task_id, state from task_instance where run_id = %s and dag_id = any(%s)"
_RUNNING = "select dag_id from dag_run where run_id = %s and dag_id = any(%s) and state not in ('success', 'failed')"
#: With the REST API a web server would have to be started for them.
_NOTES = """
    insert into dag_run_note (user_id, dag_run_id, content, created_at, updated_at)
    select null, id, %(note)s, now(), now() from dag_run where (dag_id, run_id) = (%(dag)s, %(run)s);
    insert into task_instance_note
      (user_id, task_id, dag_id, run_id, map_index, content, created_at, updated_at)
    values (null, 'work', %(dag)s, %(run)s, -1, %(note)s, now(), now())
"""


#: The task instances of each DAG's run in the source, by task and state.
_RUNS = {
    FAILED: {("extract", "success"), ("work", "failed")},
    UNFINISHED: {("first", "success"), ("second", "scheduled")},
    DEFERRED: {("wait", "deferred")},
    COUNTED: {("count", "success")},
}


def add_to(aws: AwsWithMwaa, source: Environment, dags: Collection[str] = DAGS) -> None:
    """Adds them to a source of 2.7 or later that runs the demo's DAGs; returns when each of `dags` has its run."""
    bucket = source.settings["SourceBucketArn"].split(":")[-1]
    body = _FILE.format(
        source=source.name, file=FILE, xcom=XCOM, asset=ASSET, pool=POOL,
        failed=FAILED, unfinished=UNFINISHED, deferred=DEFERRED, counted=COUNTED,
    )  # fmt: skip
    aws.client("s3").put_object(Bucket=bucket, Key="source/dags/old_runs.py", Body=body.encode())
    command(source, "pools", "set", POOL, "0", "nobody gets in")
    until(180, "the old runs' DAGs are not parsed", lambda: set(DAGS) <= set(paused(source)))
    for dag in dags:
        command(source, "dags", "unpause", dag)
        command(source, "dags", "trigger", dag, "--run-id", RUN)
    wanted = {(dag, task, state) for dag in dags for task, state in _RUNS[dag]}

    with psycopg2.connect(source.database.dsn) as connection, connection.cursor() as cursor:

        def have_run() -> bool:
            cursor.execute(_STATES, (RUN, list(dags)))
            found = set(cursor.fetchall())
            # The scheduler ends a run some time after its last task.
            cursor.execute(_RUNNING, (RUN, list(dags)))
            running = {dag for (dag,) in cursor.fetchall()}
            connection.commit()
            return found == wanted and running <= {UNFINISHED, DEFERRED}

        until(120, "the old runs are not what they should be", have_run)
        cursor.execute(_NOTES, {"note": NOTE, "dag": FAILED, "run": RUN})


def command(environment: Environment, *arguments: str) -> None:
    airflow = environment.airflow
    assert airflow is not None
    done = airflow.command(list(arguments), timeout=60)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Airflow3:
    """The REST API of an environment at 3.x, as its own web interface uses it. `dsn`: of its database."""

    dsn: str
    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, environment: Environment) -> Airflow3:
        assert environment.airflow is not None
        url = environment.airflow.start_rest_api()
        return cls(environment.database.dsn, url, rest_api.headers(url))

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, json=body)

    def run_again(self, dag: str, run: str = RUN) -> float:
        """Clears what has failed in a run, which must succeed within a minute; the seconds until then."""
        cleared = time.monotonic()
        self.post(f"/dags/{dag}/clearTaskInstances", {"dry_run": False, "dag_run_id": run, "only_failed": True})
        self.await_success(60, dag, run)
        return time.monotonic() - cleared

    def state(self, dag: str, run: str = RUN) -> str:
        return str(self.get(f"/dags/{dag}/dagRuns/{run}")["state"])

    def log(self, dag: str, task: str, attempt: int, run: str = RUN) -> str:
        """The messages that it shows of an attempt."""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        content = self.get(path, full_content="true")["content"]
        return "\n".join(str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in content)

    def await_log(self, text: str, dag: str, task: str, attempt: int) -> None:
        """Returns when it shows a text in the log of an attempt, which arrives a moment after the attempt's end."""

        def says() -> bool:
            # A stream that is not there yet is an error of the server.
            with suppress(AssertionError):
                return text in self.log(dag, task, attempt)
            return False

        until(30, f"{dag} {task} {attempt} does not say {text}", says)

    def await_success(self, seconds: float, dag: str, run: str = RUN) -> None:
        until(seconds, f"{dag} {run} does not succeed", lambda: self.state(dag, run) == "success")

    def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self.url}{path}", headers=self.headers, timeout=60, **options)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()
