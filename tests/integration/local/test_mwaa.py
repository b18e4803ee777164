"""An environment's life through MWAA's API: created, used, updated over two versions, deleted. Real Airflow."""

from __future__ import annotations

import base64
import json
import time
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import urllib3
from botocore.exceptions import ClientError

from local.installations import processes
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from tests.integration.engine.commands import eventually
from tests.integration.local.conftest import MakeRole

NAME = "some-environment"
GROUP = f"airflow-{NAME}-Task"
STREAM = "dag_id=hello/run_id=first/task_id=greet/attempt=1.log"

DAG = """
from datetime import datetime

import boto3
from airflow import DAG
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python import PythonOperator


def greet():
    print("I am", boto3.client("sts").get_caller_identity()["Arn"])


with DAG("hello", start_date=datetime(2026, 1, 1), schedule=None) as dag:
    PythonOperator(task_id="greet", python_callable=greet)
"""

LATE = """
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator

import beside

with DAG("late", start_date=datetime(2026, 1, 1), schedule=None, is_paused_upon_creation=False) as dag:
    PythonOperator(task_id="work", python_callable=beside.work, retries=20, retry_delay=timedelta(seconds=3))
"""
OWNERS = "select distinct relowner::regrole::text from pg_class where relnamespace = 'public'::regnamespace"
BESIDE = """
from airflow.configuration import conf


def work():
    return conf.get("core", "dags_folder")
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def role(aws: AwsWithMwaa, make_role: MakeRole) -> str:
    return make_role(
        "ExecutionRole",
        "airflow-env.amazonaws.com",
        {"Effect": "Allow", "Action": ["s3:GetObject*", "s3:List*"], "Resource": "arn:aws:s3:::airflow*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": f"arn:aws:logs:*:*:log-group:airflow-{NAME}-*"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def bucket(aws: AwsWithMwaa) -> str:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="airflow", CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket="airflow", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="airflow", Key="dags/hello.py", Body=DAG.encode())
    return "arn:aws:s3:::airflow"


def request(role: str, bucket: str, **changes: Any) -> dict[str, Any]:
    return {
        "Name": NAME,
        "AirflowVersion": "2.10.3",
        "ExecutionRoleArn": role,
        "SourceBucketArn": bucket,
        "DagS3Path": "dags/",
        "NetworkConfiguration": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "Tags": {"purpose": "test"},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Name": "1st"}, "'name' failed to satisfy constraint: Member must satisfy regular expression"),
        ({"NetworkConfiguration": {"SubnetIds": ["subnet-1"] * 3}}, "subnetIds|SubnetIds"),
        ({"AirflowVersion": "2.10.99"}, "version 2.10.99 is not supported"),
        ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/nobody"}, "role does not exist"),
        ({"SourceBucketArn": "arn:aws:s3:::airflow-none"}, "bucket airflow-none"),
        ({"RequirementsS3Path": "requirements.txt"}, "an object in it"),
        ({"MinWorkers": 5, "MaxWorkers": 2}, "MinWorkers"),
    ],
)
def test_what_mwaa_refuses(aws: AwsWithMwaa, role: str, bucket: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        aws.client("mwaa").create_environment(**request(role, bucket, **changes))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert aws.client("mwaa").list_environments()["Environments"] == []


def test_an_unknown_environment(aws: AwsWithMwaa) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.client("mwaa").get_environment(Name="nobody")


# The inspection fails, in the thread that deletes the environment.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_life(aws: AwsWithMwaa, role: str, bucket: str, statuses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    mwaa = aws.client("mwaa")
    mwaa.create_environment(**request(role, bucket))
    assert wait(aws)[0] == "CREATING"
    created = mwaa.get_environment(Name=NAME)["Environment"]
    assert created["Status"] == "AVAILABLE"
    assert created["LoggingConfiguration"]["TaskLogs"]["CloudWatchLogGroupArn"].endswith(f":log-group:{GROUP}")

    unpause(aws)
    # Whatever ends is started again, so the run below is run.
    airflow = aws.mwaa.environment(NAME).airflow
    assert airflow is not None
    airflow.kill("scheduler")
    status, printed = cli(aws, "dags trigger hello --run-id first")
    assert status == 200
    assert "first" in printed
    assert any("I am arn:aws:sts::123456789012:assumed-role/ExecutionRole/" in line for line in log(aws))

    run_where_the_files_are_not_yet(aws, monkeypatch)

    with pytest.raises(ClientError, match=r"can be upgraded to 3.x only from 2\.11"):
        mwaa.update_environment(Name=NAME, AirflowVersion="3.2.1")
    statuses.clear()
    mwaa.update_environment(Name=NAME, AirflowVersion="2.11.2", PluginsS3Path="dags/hello.py")
    wait(aws)
    assert statuses == ["UPDATING", "CREATING_SNAPSHOT", "UPDATING", "ROLLING_BACK", "UPDATE_FAILED"]
    put_back = mwaa.get_environment(Name=NAME)["Environment"]
    assert put_back["AirflowVersion"] == "2.10.3"
    assert put_back["LastUpdate"]["Error"]["ErrorMessage"] == "File is not a zip file"
    for version in ("2.11.2", "3.2.1"):
        statuses.clear()
        mwaa.update_environment(Name=NAME, AirflowVersion=version)
        wait(aws)
        assert statuses == ["UPDATING", "CREATING_SNAPSHOT", "UPDATING", "AVAILABLE"]
        updated = mwaa.get_environment(Name=NAME)["Environment"]
        assert (updated["Status"], updated["AirflowVersion"]) == ("AVAILABLE", version)
        assert (updated["LastUpdate"]["Status"], updated["LastUpdate"]["Source"]) == ("SUCCESS", "UpdateEnvironment")
        # Amazon MWAA migrates as the owner; Airflow works as a member of it.
        database = aws.mwaa.environment(NAME).database
        assert query(database.dsn, OWNERS) == [("adminuser",)]
        assert query(database.dsn, "select usename::text from pg_stat_activity where usename = 'adminuser'") == []
    assert runs(aws) == [("first", "success")]
    # The new version's own log reader finds what the old version's run has written.
    read = mwaa.invoke_rest_api(Name=NAME, Path="/dags/hello/dagRuns/first/taskInstances/greet/logs/1", Method="GET")[
        "RestApiResponse"
    ]
    assert "I am arn:aws:sts::123456789012:assumed-role/ExecutionRole/" in json.dumps(read)

    mwaa.update_environment(Name=NAME, AirflowVersion="2.11.2")
    wait(aws)
    assert mwaa.get_environment(Name=NAME)["Environment"]["AirflowVersion"] == "2.11.2"
    assert runs(aws) == [("first", "success")]

    found = aws.client("cloudwatch").list_metrics(Namespace="AmazonMWAA")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"DagBagSize", "SchedulerHeartbeat"}

    seen = []

    def look(environment: Environment) -> None:
        seen.append((environment.status, environment.airflow is not None))
        raise OSError("whoever looks has a fault")

    aws.mwaa.before_deletion = look
    mwaa.delete_environment(Name=NAME)
    assert wait(aws)[-1] == "gone"
    assert seen == [("DELETING", True)]
    assert processes.marked(f"{aws.name}/{NAME}") == []
    assert not (aws.folder / "environments" / NAME).exists()


def test_tokens_expire_and_some_commands_are_refused(aws: AwsWithMwaa, role: str, bucket: str) -> None:
    """The endpoint alone; which commands succeed is Airflow's business."""
    from local.mwaa.cli_endpoint import CliEndpoint

    now = [0.0]
    endpoint = CliEndpoint(aws.certificates, lambda arguments, timeout: pytest.fail("no command runs"), lambda: now[0])
    endpoint.start()
    try:
        token = endpoint.new_token()
        assert post(aws, endpoint.host, "no-token", "version").status == 403
        assert post(aws, endpoint.host, token, "db reset -y").status == 400
        assert post(aws, endpoint.host, token, "variables set 'unfinished").status == 400
        now[0] = 61.0
        assert post(aws, endpoint.host, token, "version").status == 403
    finally:
        endpoint.stop()


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each status that an environment gets."""
    got: list[str] = []

    def set_status(environment: Environment, status: str) -> None:
        got.append(status)
        vars(environment)["status"] = status

    status = property(lambda environment: vars(environment)["status"], set_status)
    monkeypatch.setattr(Environment, "status", status, raising=False)
    return got


def runs(aws: AwsWithMwaa) -> list[tuple[str, str]]:
    path = "/dags/hello/dagRuns"
    answer = aws.client("mwaa").invoke_rest_api(Name=NAME, Path=path, Method="GET")["RestApiResponse"]
    return [(run["dag_run_id"], run["state"]) for run in answer["dag_runs"]]


def wait(aws: AwsWithMwaa) -> list[str]:
    """The statuses that the environment goes through until it rests, in order."""
    seen: list[str] = []
    mwaa = aws.client("mwaa")
    while True:
        try:
            status = str(mwaa.get_environment(Name=NAME)["Environment"]["Status"])
        except mwaa.exceptions.ResourceNotFoundException:
            return [*seen, "gone"]
        if status not in seen:
            seen.append(status)
        if status in ("AVAILABLE", "CREATE_FAILED", "UPDATE_FAILED", "UNAVAILABLE"):
            return seen
        time.sleep(0.2)


def post(aws: AwsWithMwaa, host: str, token: str, command: str) -> urllib3.BaseHTTPResponse:
    pool = urllib3.PoolManager(ca_certs=str(aws.certificates.bundle))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    return pool.request("POST", f"https://{host}/aws_mwaa/cli", body=command.encode(), headers=headers, timeout=120)


def cli(aws: AwsWithMwaa, command: str) -> tuple[int, str]:
    token = aws.client("mwaa").create_cli_token(Name=NAME)
    answer = post(aws, token["WebServerHostname"], token["CliToken"], command)
    return answer.status, base64.b64decode(answer.json()["stdout"]).decode()


def run_where_the_files_are_not_yet(aws: AwsWithMwaa, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose worker does not know its DAG yet fails, and is retried as any other."""
    path = "/dags/late/dagRuns/1/taskInstances/work"

    def told(of: str = "") -> Any:
        return aws.client("mwaa").invoke_rest_api(Name=NAME, Path=path + of, Method="GET")["RestApiResponse"]

    def state() -> str | None:
        try:
            return str(told()["state"])
        except ClientError as error:
            # A run is there a moment before its task instances are.
            if "Task instance not found" not in str(error):
                raise
            return None

    monkeypatch.setenv("DAG_FOLDER_DELAY_SECONDS", "3600")
    for name, content in (("beside", BESIDE), ("late", LATE)):
        aws.client("s3").put_object(Bucket="airflow", Key=f"dags/{name}.py", Body=content.encode())
    # A command that fails may answer 200 as well.
    eventually(lambda: "late" in cli(aws, "dags trigger late --run-id 1")[1], 60)
    eventually(lambda: state() == "up_for_retry", 60)
    # The web server does not have the file either.
    assert '"late"' not in cli(aws, "dags list --output json")[1]
    monkeypatch.setenv("DAG_FOLDER_DELAY_SECONDS", "0")
    eventually(lambda: state() == "success", 60)
    assert told()["try_number"] > 1
    assert told("/xcomEntries/return_value")["value"].endswith("/dags-of-workers")
    assert '"late"' in cli(aws, "dags list --output json")[1]


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def unpause(aws: AwsWithMwaa) -> None:
    """Unpauses the DAG as soon as it has been parsed."""
    deadline = time.monotonic() + 120
    while "False" not in cli(aws, "dags unpause hello --yes")[1]:
        assert time.monotonic() < deadline, "the DAG was not parsed"
        time.sleep(1)


def log(aws: AwsWithMwaa) -> list[str]:
    """The events of the run's stream, when the task has ended."""
    logs = aws.client("logs")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        if [stream["logStreamName"] for stream in streams] == [STREAM]:
            events = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM)["events"]
            if any("return code 0" in event["message"] for event in events):
                return [event["message"] for event in events]
        time.sleep(0.5)
    pytest.fail("the task's log did not arrive")
