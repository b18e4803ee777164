"""A local AWS, a PostgreSQL, and an Airflow of each version that DAGs are written for."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from werkzeug.wrappers import Response

from data_pipeline import command, reading
from data_pipeline.options import Options
from data_pipeline.translated import Translation
from data_pipeline.translation import translate
from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.installations import airflow_installation
from local.installations.postgres import PostgresServer

from .airflow_runs import Deployment
from .hadoop.primary_node import PrimaryNode
from .services import EmrSteps, Machines, RedshiftData, Serverless

DEFINITIONS = Path(__file__).parents[2] / "data_pipeline"
REGION = "eu-west-1"


@dataclass
class Aws:
    """The local AWS of a test, the machine that commands and steps run on, and the calls that DAGs made of AWS."""

    endpoint: Endpoint
    folder: Path
    environment_of_commands: dict[str, str]
    calls: list[AwsRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machines = Machines(self.folder, self.environment_of_commands)
        self.emr = EmrSteps(
            PrimaryNode(self.folder, self.client("s3"), self.client("dynamodb"), self.environment_of_commands)
        )

    def client(self, service: str, region: str = REGION) -> Any:
        keys = self.endpoint.identities.administrator
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.endpoint.url,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
        )

    def empty_bucket(self, name: str) -> Any:
        """A client for S3, where a bucket of that name is there and has nothing in it."""
        s3 = self.client("s3")
        if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
        return s3

    def environment(self) -> dict[str, str]:
        """What a DAG's tasks need to reach it."""
        keys = self.endpoint.identities.administrator.environment()
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint.url, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}

    def asked(self, service: str, *operations: str) -> list[tuple[str, dict[str, Any]]]:
        """The calls of a service's operations, in their order."""
        return [
            (call.operation.name, call.parameters)
            for call in self.calls
            if call.service == service and call.operation.name in operations
        ]

    def record(self, request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        self.calls.append(request)
        return carry_out()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="data-pipeline-") as directory,
        PostgresServer(Path(directory) / "data") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def warehouse(postgres: PostgresServer) -> str:
    """The DSN of the database that stands for Redshift and for the shop."""
    postgres.create_database("warehouse")
    return postgres.dsn("warehouse")


@pytest.fixture(scope="session")
def started_aws(tmp_path_factory: pytest.TempPathFactory, warehouse: str) -> Iterator[Aws]:
    endpoint = Endpoint(Identities(region=REGION))
    endpoint.start()
    tools = tmp_path_factory.mktemp("tools")
    for name, program in (("aws", "aws_cli.py"), ("sqoop", "hadoop/sqoop.py")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / program} "$@"\n')
        (tools / name).chmod(0o755)
    environment = {"HOME": str(tools), "PATH": f"{tools}:{os.environ['PATH']}"}
    aws = Aws(endpoint, tmp_path_factory.mktemp("machines"), environment)
    environment |= aws.environment()

    def read(bucket: str, prefix: str) -> str:
        s3 = aws.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
        return "".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys)

    for service in (aws.emr, Serverless(), aws.machines, RedshiftData(warehouse, read)):
        endpoint.add(service)
    aws.client("iam").create_instance_profile(InstanceProfileName="EtlProfile")
    endpoint.interceptor = aws.record
    yield aws
    aws.emr.node.stop()
    endpoint.stop()


@pytest.fixture
def aws(started_aws: Aws) -> Iterator[Aws]:
    """The local AWS with no calls in its record yet."""
    started_aws.calls.clear()
    yield started_aws
    started_aws.emr.failing.clear()


Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(warehouse: str) -> Query:
    """Runs a statement on the warehouse, and gives its rows."""

    def run(statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(warehouse)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    return run


@pytest.fixture(scope="session", params=["2.11.2", "3.2.1"])
def airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Deployment]:
    installation = airflow_installation.install(request.param)
    database = f"airflow_{request.param}"
    postgres.create_database(database)
    home = tmp_path_factory.mktemp(database)
    deployment = Deployment(installation, home, postgres.url(database))
    deployment.dags.mkdir()
    installation.migrate_database(deployment.environment())
    yield deployment
    deployment.stop()


def translated_into(folder: Path, options: Options, *files: str) -> list[Translation]:
    """Translates definitions into a DAGs folder."""
    found = [translate(item, options) for item in reading.read([DEFINITIONS / file for file in files])]
    command.write([command.Outcome(item.folder, item) for item in found], folder, "")
    return found
