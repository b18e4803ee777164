"""What a task of a real Airflow 3.2.1 finds in its environment: what the image gives a worker, and how far it leads."""

from __future__ import annotations

import inspect
import json
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mwaa_migrator
import psycopg2
import pytest

from local.mwaa import airflow_variables, database_access
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Endpoint
from tests.integration.engine.commands import eventually
from tests.integration.local.conftest import MakeRole

NAME = "with-workers"
VARIABLES = tomllib.loads(Path(__file__).with_name("worker_variables.toml").read_text())

#: A task as the engine's: it is kept out of the database, and starts a process that looks for a way in.
DAG = '''
import json, os, pathlib, subprocess, sys
from datetime import datetime

import boto3
from airflow.sdk import DAG, task

WAY = """
import json
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.this_airflow.database import metadata_database
try:
    with metadata_database() as database:
        print(json.dumps([database.place.way_in, database.connection.info.user]))
except MigratorError as error:
    print(json.dumps([error.name, str(error)]))
"""

with DAG("worker", start_date=datetime(2026, 1, 1), schedule=None, is_paused_upon_creation=False):
    @task
    def look(run_id=None):
        path = os.pathsep.join([os.environ["PYTHONPATH"], str(pathlib.Path(__file__).parent)])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", WAY],
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        )
        answer = {"variables": dict(os.environ), "printed": done.stdout + done.stderr}
        answer["way"] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
        boto3.client("s3").put_object(Bucket="airflow-workers", Key=f"{run_id}.json", Body=json.dumps(answer))

    look()
'''

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def environment(aws: AwsWithMwaa, make_role: MakeRole) -> Iterator[Environment]:
    s3, mwaa = aws.client("s3"), aws.client("mwaa")
    role = make_role(
        "WorkersRole",
        "airflow-env.amazonaws.com",
        {"Effect": "Allow", "Action": ["s3:GetObject*", "s3:List*", "s3:Put*"], "Resource": "arn:aws:s3:::airflow*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": f"arn:aws:logs:*:*:log-group:airflow-{NAME}-*"},
    )
    s3.create_bucket(Bucket="airflow-workers", CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket="airflow-workers", VersioningConfiguration={"Status": "Enabled"})
    engine = Path(inspect.getfile(mwaa_migrator)).parent
    for file in engine.rglob("*.py"):
        key = f"dags/{engine.name}/{file.relative_to(engine)}"
        s3.put_object(Bucket="airflow-workers", Key=key, Body=file.read_bytes())
    s3.put_object(Bucket="airflow-workers", Key="dags/worker.py", Body=DAG.encode())
    mwaa.create_environment(
        Name=NAME,
        AirflowVersion="3.2.1",
        ExecutionRoleArn=role,
        SourceBucketArn="arn:aws:s3:::airflow-workers",
        DagS3Path="dags/",
        NetworkConfiguration={"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        LoggingConfiguration={"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
    )
    eventually(lambda: mwaa.get_environment(Name=NAME)["Environment"]["Status"] != "CREATING", 180)
    assert mwaa.get_environment(Name=NAME)["Environment"]["Status"] == "AVAILABLE"
    made = aws.mwaa.environment(NAME)
    yield made
    mwaa.delete_environment(Name=NAME)
    made.gone.wait(60)


def run(aws: AwsWithMwaa, environment: Environment, run_id: str) -> dict[str, Any]:
    """What the task of a new run has found."""
    airflow, s3 = environment.airflow, aws.client("s3")
    assert airflow is not None
    deadline = time.monotonic() + 120
    while airflow.command(["dags", "trigger", "worker", "--run-id", run_id], timeout=60).returncode != 0:
        assert time.monotonic() < deadline, "the DAG is not known"
        time.sleep(1)

    def answer() -> bool:
        return "Contents" in s3.list_objects_v2(Bucket="airflow-workers", Prefix=f"{run_id}.json")

    eventually(answer, 120)
    found: dict[str, Any] = json.loads(s3.get_object(Bucket="airflow-workers", Key=f"{run_id}.json")["Body"].read())
    return found


def names(table: str) -> set[str]:
    return {name for group in VARIABLES[table].values() for name in group}


def secret_of(aws: AwsWithMwaa) -> str:
    return aws.database_proxy.settings.secret


def test_the_worker_has_the_images_variables_and_no_more(aws: AwsWithMwaa, environment: Environment) -> None:
    found = run(aws, environment, "images")
    variables = found["variables"]
    expected = names("both") | names("local") | set(VARIABLES["airflow"]["names"])
    assert set(variables) - expected - airflow_variables.OF_THE_MACHINE == set()
    assert expected - set(variables) == set()
    assert names("image") & set(variables) == set()
    # None of them is the password of the database's owner; the image's own is out of date where there are tokens.
    assert [name for name, value in variables.items() if secret_of(aws) in value] == []
    assert found["way"] == ["IAM token", "airflow_user"], found["printed"]


def test_a_run_that_the_cli_gave_no_logical_date_is_passed_by(
    aws: AwsWithMwaa, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Amazon MWAA's 3.x. Those that a migration triggers run."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(aws.certificates.bundle))
    run_command = Endpoint(aws.client("mwaa"), NAME)
    assert run_command("dags", "trigger", "worker", "--run-id", "undated").succeeded
    assert AirflowCli(run_command, "3.2.1").trigger("worker", "dated", "2026-02-02T00:00:00+00:00", {})
    states: dict[str, str] = {}

    def has_ended() -> bool:
        with closing(psycopg2.connect(environment.database.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("select run_id, state from dag_run where run_id in ('dated', 'undated')")
            states.update(cursor.fetchall())
        return states["dated"] == "success"

    eventually(has_ended, 120)
    assert states["undated"] == "queued"


@pytest.mark.parametrize(
    ("given", "way", "has", "lacks"),
    [
        (
            database_access.CREDENTIALS,
            ["MWAA__DB", "adminuser"],
            {"MWAA__DB__CREDENTIALS", "MWAA__DB__POSTGRES_HOST", "MWAA__DB__POSTGRES_PORT", "MWAA__DB__POSTGRES_DB"},
            {"USE_IAM_CREDENTIALS", "DB_SECRETS", "POSTGRES_HOST"},
        ),
        (
            database_access.SECRETS,
            ["DB_SECRETS", "adminuser"],
            {"DB_SECRETS", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB"},
            {"USE_IAM_CREDENTIALS", "MWAA__DB__CREDENTIALS", "MWAA__DB__POSTGRES_HOST"},
        ),
        (database_access.NONE, ["DatabaseOutOfReach"], set(), {"DB_SECRETS", "POSTGRES_HOST"}),
    ],
)
def test_what_a_setting_gives_it_instead(
    aws: AwsWithMwaa,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    way: list[str],
    has: set[str],
    lacks: set[str],
) -> None:
    monkeypatch.setenv(database_access.WORKER_DATABASE, given)
    assert environment.airflow is not None
    # Its successor starts the workers.
    environment.airflow.kill("scheduler")
    found = run(aws, environment, given)
    variables, printed = found["variables"], found["printed"]
    assert found["way"][: len(way)] == way, printed
    assert has <= set(variables)
    assert lacks & set(variables) == set()
    assert secret_of(aws) not in printed
    if given != database_access.NONE:
        return
    of_the_database = names("both") - {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS"}
    found_of_it = {name for name in of_the_database & set(variables) if "DB" in name or "IAM" in name or "SQL" in name}
    # Airflow itself puts a URL there that leads nowhere.
    assert found_of_it == {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"}
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "airflow-db-not-allowed:///"
    assert [name for name, value in variables.items() if str(aws.database_proxy.port) in value] == []
    assert found["way"][1].count("without ") == 2
