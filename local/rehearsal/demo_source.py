"""What a rehearsal's source environment is made of: buckets, roles, DAGs, and runs that have really happened."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from local.aws.arns import s3_arn
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment

DEMO_DAGS = Path(__file__).parent / "demo_dags"
_POPULATE = Path(__file__).parent / "populate_source.py"

#: How long the runs may take that fill the source, in seconds; what still runs then is what drain is for.
_RUNS_TIMEOUT = 180.0
_PARSE_TIMEOUT = 180.0


class SourceNotReady(Exception):
    """The source environment could not be made; the message says why."""


@dataclass(frozen=True)
class Population:
    """What is put into the source. For the user's own DAGs: each is unpaused and has one run."""

    unpause: list[str]
    trigger: list[tuple[str, str, dict[str, Any]]]
    variables: dict[str, str] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    pools: list[tuple[str, int, str]] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(self.__dict__)


_SETTINGS: dict[str, Any] = {
    "variables": {"greeting": 'grüezi; it\'s a "test"\nof two lines', "orders_api_key": "demo-secret-of-a-variable"},
    "connections": {
        "warehouse": "postgresql://loader:demo-secret-of-a-connection@db.example.com:5432/dwh?sslmode=require"
    },
    "pools": [("reports", 3, "for the nightly reports")],
}
_DEMO_RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("demo_orders", "orders_1", {"orders": 3}),
    ("demo_orders", "orders_2", {"orders": 5}),
    ("demo_flaky", "flaky_1", {}),
]
_DEMO_ACTIVE = ["demo_orders", "demo_flaky", "demo_daily"]


def make(
    aws: AwsWithMwaa,
    name: str,
    airflow_version: str,
    dags: Path | None,
    seed_sql: Path | None,
    say: Callable[[str], None],
) -> Environment:
    """Creates the source environment, lets its DAGs run, plants settings, and runs the user's SQL.

    Args:
        dags: a folder of the user's own DAGs in place of the demo's.

    Raises:
        SourceNotReady: it could not be made.
    """
    environment = create(aws, name, airflow_version, dags or DEMO_DAGS, say)
    say("waiting until the source has parsed its DAGs")
    found = parsed(environment, wanted=None if dags else {*_DEMO_ACTIVE, "demo_paused"})
    say("letting the source's DAGs run")
    if dags is None:
        population = Population(_DEMO_ACTIVE, _DEMO_RUNS, **_SETTINGS)
    else:
        population = Population(found, [(dag_id, f"rehearsal_{dag_id}", {}) for dag_id in found], **_SETTINGS)
    _populate(environment, population)
    _wait_for_runs(environment, say)
    if seed_sql is not None:
        say(f"running {seed_sql.name} in the source's database")
        environment.database.run_sql_file(seed_sql.resolve())
    return environment


def create(aws: AwsWithMwaa, name: str, airflow_version: str, dags: Path, say: Callable[[str], None]) -> Environment:
    """Creates an environment with its role, its bucket and the DAGs of a folder. Raises SourceNotReady."""
    role, bucket = execution_role(aws, _bucket_name(aws)), _bucket(aws, dags, airflow_version)
    say(f"creating the source environment at Airflow {airflow_version}")
    aws.client("mwaa").create_environment(
        Name=name,
        AirflowVersion=airflow_version,
        ExecutionRoleArn=role,
        # Larger than its few DAGs need, so that a rehearsal's target is of a smaller class.
        EnvironmentClass="mw1.medium",
        SourceBucketArn=s3_arn(aws.region, bucket),
        DagS3Path="source/dags",
        RequirementsS3Path="source/requirements.txt",
        NetworkConfiguration={"SubnetIds": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]},
        WebserverAccessMode="PUBLIC_ONLY",
        # CleanUp waits for as long as what is left of a task's process may take to end.
        AirflowConfigurationOptions={"core.default_task_retries": "0", "core.killed_task_cleanup_time": "5"},
        LoggingConfiguration={
            module: {"Enabled": True, "LogLevel": "INFO"}
            for module in ("DagProcessingLogs", "SchedulerLogs", "TaskLogs", "WebserverLogs", "WorkerLogs")
        },
        Tags={"purpose": "rehearsal"},
    )
    environment = aws.mwaa.environment(name)
    while environment.status == "CREATING":
        time.sleep(0.2)
    if environment.status != "AVAILABLE":
        raise SourceNotReady(f"the source is {environment.status}: {environment.last_update.get('Error')}")
    return environment


def execution_role(aws: AwsWithMwaa, bucket: str) -> str:
    """An execution role as MWAA's user guide has it: the DAG bucket, the environment's own log groups, and no more."""
    iam = aws.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "airflow:PublishMetrics", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject*", "s3:GetBucket*", "s3:List*"],
                "Resource": [s3_arn(aws.region, bucket), s3_arn(aws.region, f"{bucket}/*")],
            },
            {
                "Effect": "Allow",
                "Action": [
                    "logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents", "logs:GetLogEvents",
                    "logs:GetLogRecord", "logs:GetLogGroupFields", "logs:GetQueryResults",
                ],
                "Resource": [aws.identities.arn("logs", "log-group:airflow-*")],
            },
            {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"},
        ],
    }  # fmt: skip
    created = iam.create_role(RoleName="rehearsal-execution", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="rehearsal-execution", PolicyName="execution", PolicyDocument=json.dumps(policy))
    return str(created["Role"]["Arn"])


def _bucket_name(aws: AwsWithMwaa) -> str:
    return f"rehearsal-dags-{aws.identities.account}"


def _bucket(aws: AwsWithMwaa, dags: Path, airflow_version: str) -> str:
    s3, name = aws.client("s3"), _bucket_name(aws)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for file in sorted(dags.rglob("*")):
        relative = file.relative_to(dags)
        if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            s3.put_object(Bucket=name, Key=f"source/dags/{relative}", Body=file.read_bytes())
    constraints = f"https://raw.githubusercontent.com/apache/airflow/constraints-{airflow_version}/constraints-3.11.txt"
    s3.put_object(
        Bucket=name,
        Key="source/requirements.txt",
        Body=f'--constraint "{constraints}"\napache-airflow-providers-http\n'.encode(),
    )
    return name


def parsed(environment: Environment, wanted: set[str] | None, timeout: float = _PARSE_TIMEOUT) -> list[str]:
    """The DAGs that the source knows: all of `wanted`, or, where that is not known, when no more come.

    Raises SourceNotReady after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    seen: list[tuple[str, ...]] = []
    while True:
        found = tuple(str(row[0]) for row in _query(environment, "SELECT dag_id FROM dag ORDER BY dag_id"))
        seen.append(found)
        if wanted is not None and wanted <= set(found):
            return list(found)
        if wanted is None and found and len(seen) >= 10 and len(set(seen[-10:])) == 1:
            return list(found)
        if time.monotonic() > deadline:
            missing = sorted(wanted - set(found)) if wanted else []
            what = f"{len(missing)} are missing, {missing[:5]} among them" if missing else "there are none"
            raise SourceNotReady(f"the source did not parse its DAGs in {timeout:.0f} s: {what}")
        time.sleep(0.5)


def _populate(environment: Environment, population: Population) -> None:
    airflow = environment.airflow
    if airflow is None:
        raise SourceNotReady(f"the source is {environment.status}")
    done = subprocess.run(
        [str(airflow.installation.python), str(_POPULATE), population.as_json()],
        env=airflow.environment,
        cwd=airflow.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise SourceNotReady(f"the source could not be filled:\n{done.stderr.strip()[-2000:]}")


def _wait_for_runs(environment: Environment, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + _RUNS_TIMEOUT
    quiet_since: float | None = None
    while time.monotonic() < deadline:
        states = dict(_query(environment, "SELECT coalesce(state, 'none'), count(*) FROM dag_run GROUP BY 1"))
        unfinished = sum(count for state, count in states.items() if state not in ("success", "failed"))
        if unfinished:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        # The scheduler makes the runs of a schedule one after the other, so it must have been quiet for a while.
        elif time.monotonic() - quiet_since > 4:
            runs = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            (tasks,) = _query(environment, "SELECT count(*) FROM task_instance")[0]
            say(f"the source has {tasks} task instances in runs: {runs}")
            return
        time.sleep(0.5)
    say(f"some of the source's runs have not ended after {_RUNS_TIMEOUT:.0f} s; going on")


def _query(environment: Environment, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(environment.database.dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()
