"""Creates the environment that a rehearsal or a migration on this machine starts from: its role, bucket and DAGs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from local.aws.arns import s3_arn
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from migration.airflow import versions

_PARSE_TIMEOUT = 180.0


class SourceNotReady(Exception):
    """The source environment could not be made; the message says why."""


def create(aws: AwsWithMwaa, name: str, airflow_version: str, dags: Path, say: Callable[[str], None]) -> Environment:
    """Creates an environment with a role, a bucket and the DAGs of a folder.

    Raises:
        SourceNotReady: it could not be created.
    """
    role, bucket = create_execution_role(aws, _bucket_name(aws)), _create_bucket(aws, dags, airflow_version)
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
        NetworkConfiguration=_create_network(aws),
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


def _create_network(aws: AwsWithMwaa) -> dict[str, list[str]]:
    """Creates a VPC without a way to the internet, with an endpoint for S3; a NetworkConfiguration in it."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.192.{20 + number}.0/24", AvailabilityZone=f"{aws.region}{zone}")
        for number, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="airflow", Description="of the source", VpcId=vpc)["GroupId"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{aws.region}.s3",
        RouteTableIds=[table["RouteTableId"]],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return {"SubnetIds": [made["Subnet"]["SubnetId"] for made in subnets], "SecurityGroupIds": [group]}


def create_execution_role(aws: AwsWithMwaa, bucket: str) -> str:
    """Creates an execution role as in MWAA's user guide: for the DAG bucket and the environment's log groups only."""
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


def _create_bucket(aws: AwsWithMwaa, dags: Path, airflow_version: str) -> str:
    s3, name = aws.client("s3"), _bucket_name(aws)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for file in sorted(dags.rglob("*")):
        relative = file.relative_to(dags)
        if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            s3.put_object(Bucket=name, Key=f"source/dags/{relative}", Body=file.read_bytes())
    constraints = (
        f"https://raw.githubusercontent.com/apache/airflow/constraints-{airflow_version}/"
        f"constraints-{versions.python_of(airflow_version)}.txt"
    )
    s3.put_object(
        Bucket=name,
        Key="source/requirements.txt",
        Body=f'--constraint "{constraints}"\napache-airflow-providers-http\n'.encode(),
    )
    return name


def wait_until_parsed(environment: Environment, wanted: set[str] | None, timeout: float = _PARSE_TIMEOUT) -> list[str]:
    """Returns the DAGs that the source knows when it knows all of `wanted`, or, where that is None, knows no more.

    Raises:
        SourceNotReady: it does not after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    seen: list[tuple[str, ...]] = []
    while True:
        found = tuple(str(row[0]) for row in query(environment, "SELECT dag_id FROM dag ORDER BY dag_id"))
        seen.append(found)
        if wanted is not None and wanted <= set(found):
            return list(found)
        if wanted is None and found and len(seen) >= 10 and len(set(seen[-10:])) == 1:
            return list(found)
        if time.monotonic() > deadline:
            missing = sorted(wanted - set(found)) if wanted else []
            what = f"{len(missing)} are missing, such as {missing[:5]}" if missing else "it has none"
            raise SourceNotReady(f"the source did not parse its DAGs in {timeout:.0f} s: {what}")
        time.sleep(0.5)


def query(environment: Environment, statement: str) -> list[tuple[Any, ...]]:
    """The rows that a statement returns from an environment's metadata database."""
    connection = psycopg2.connect(environment.database.dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()
