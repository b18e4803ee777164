"""The functions with moto's AWS behind them, and Amazon MWAA, which moto does not have, as a table of environments."""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto import mock_aws
from moto.kms import models as kms_models
from moto.kms.utils import generate_private_key
from moto.s3 import urls as s3_urls
from moto.s3.models import S3Backend

from local.aws.iam import policy_simulation
from migration.airflow import runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.environments import dag_folder
from migration.exchange import layout
from migration.exchange.store import of_artifact

REGION = "eu-west-1"
# boto3 reads its region when the functions are imported; what Powertools reads is in tests/conftest.py.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "EXCHANGE_BUCKET": "exchange",
    "IMPORT_VERSION": "2.11.2",
}
META = boto3.client("mwaa", region_name=REGION).meta
ROLE = "arn:aws:iam::123456789012:role/airflow"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:mwaa-migrator-migrate:execution-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "airflow-env.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
Handler = Callable[..., dict[str, Any]]


class Environments:
    """Amazon MWAA's API over a dict. Requests are checked against the service's model."""

    def __init__(self) -> None:
        self.meta = META
        self.all: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.updates: list[dict[str, Any]] = []

    def get_environment(self, Name: str) -> dict[str, Any]:  # noqa: N803
        self._called("GetEnvironment", Name=Name)
        if Name not in self.all:
            raise self.error("GetEnvironment", "ResourceNotFoundException")
        return {"Environment": self.all[Name]}

    def get_paginator(self, operation: str) -> Environments:
        assert operation == "list_environments"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        self._called("ListEnvironments")
        return [{"Environments": [name]} for name in self.all]

    def create_environment(self, **request: Any) -> dict[str, Any]:
        self._called("CreateEnvironment", **request)
        if request["Name"] in self.all:
            raise self.error("CreateEnvironment", "ValidationException")
        self.all[request["Name"]] = {**request, "Status": "CREATING"}
        return {"Arn": "arn"}

    def update_environment(self, **request: Any) -> dict[str, Any]:
        self._called("UpdateEnvironment", **request)
        self.updates.append(request)
        self.all[request["Name"]].update(Status="UPDATING")
        return {"Arn": "arn"}

    def delete_environment(self, Name: str) -> dict[str, Any]:  # noqa: N803
        self._called("DeleteEnvironment", Name=Name)
        self.all[Name]["Status"] = "DELETING"
        return {}

    def _called(self, operation: str, **request: Any) -> None:
        self.calls.append(operation)
        shape: Any = self.meta.service_model.operation_model(operation).input_shape
        report: Any = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()

    def error(self, operation: str, code: str, message: str = "no", status: int = 400) -> ClientError:
        told: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(told, operation)


class Commands:
    """The CLI of an environment: keeps the commands, and answers what a test says for the first words of one."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []
        self.answers: dict[tuple[str, ...], Answer] = {}

    def __call__(self, *command: str) -> Answer:
        self.given.append(command)
        for length in (3, 2, 1):
            if command[:length] in self.answers:
                return self.answers[command[:length]]
        # Airflow tells which run it has made.
        return Answer(True, " ".join(command) if "trigger" in command else "", "")


@pytest.fixture(scope="session")
def quick_moto() -> Iterator[None]:
    """Spares moto an RSA key for each key of KMS, of whatever kind, and a reload of S3's URLs for each request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kms_models, "generate_private_key", functools.cache(generate_private_key))
        patch.setattr(S3Backend, "_url_module", s3_urls)
        yield


@pytest.fixture(autouse=True)
def aws(quick_moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    policy_simulation.install()
    with mock_aws():
        s3: Any = clients.s3()
        for bucket in ("exchange", "dags"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="dags", VersioningConfiguration={"Status": "Enabled"})
        clients.iam().create_role(RoleName="airflow", AssumeRolePolicyDocument=json.dumps(TRUST))
        monkeypatch.setenv("KEY_ARN", clients.kms().create_key()["KeyMetadata"]["Arn"])
        monkeypatch.setenv("TOPIC_ARN", clients.sns().create_topic(Name="t")["TopicArn"])
        yield


@pytest.fixture
def mwaa(monkeypatch: pytest.MonkeyPatch) -> Environments:
    """Amazon MWAA with one source, `prod-2-10`."""
    environments = Environments()
    environments.all["prod-2-10"] = {
        "Name": "prod-2-10",
        "Status": "AVAILABLE",
        "AirflowVersion": "2.10.3",
        "ExecutionRoleArn": ROLE,
        "SourceBucketArn": "arn:aws:s3:::dags",
        "DagS3Path": "dags",
        "RequirementsS3Path": "requirements.txt",
        "NetworkConfiguration": {"SubnetIds": ["subnet-0123456a", "subnet-0123456b"], "SecurityGroupIds": ["sg-1"]},
        "AirflowConfigurationOptions": {"core.dag_concurrency": "9"},
        "Tags": {},
    }
    monkeypatch.setattr(clients, "mwaa", lambda region: environments)
    return environments


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The CLI of every environment."""
    run = Commands()
    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(run, version))
    return run


class Context:
    """What Powertools reads of Lambda's context."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "request"


@pytest.fixture
def call() -> Handler:
    """Calls a function's handler with an event's parts."""

    def invoke(module: Any, **event: Any) -> dict[str, Any]:
        names = {"execution": EXECUTION.rsplit(":", 1)[-1]}
        if "execution_arn" in inspect.signature(module.handler).parameters:
            names["executionArn"] = EXECUTION
        answer: dict[str, Any] = module.handler({**names, **event}, Context())
        return answer

    return invoke


@pytest.fixture
def planned(mwaa: Environments, call: Handler) -> dict[str, Any]:
    """The plan of a migration from 2.10.3 to 3.2.1."""
    import plan

    return call(plan, input=document())


@pytest.fixture
def by_cli(planned: dict[str, Any]) -> None:
    """The run that unpauses the target's DAGs has been given up, so commands of Airflow do it."""
    request = {"dags": [], "withdrawn": "a test"}
    of_artifact(clients.s3(), planned).write(layout.CUT_OVER_REQUEST, request)  # type: ignore[arg-type]


def tell_dags(dags: int, environment: str = "prod-2-10", ago: timedelta = timedelta(seconds=2)) -> None:
    """Publishes how many DAGs an environment has, as Amazon MWAA does.

    A moment ago, because a request's times have whole seconds: what is of the same second lies behind its end.
    """
    dimensions = {"Function": "DAG Processing", "Environment": environment}
    clients.cloudwatch(REGION).put_metric_data(
        Namespace="AmazonMWAA",
        MetricData=[
            {
                "MetricName": "DagBagSize",
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                "Timestamp": datetime.now(UTC) - ago,
                "Value": dags,
            }
        ],
    )


def document(**parts: Any) -> dict[str, Any]:
    """An input for the path through 2.11, which has every state's work."""
    made = {
        "source": {"environment": "prod-2-10"},
        "target": {"environment": "prod-3", "airflowVersion": "3.2.1"},
    } | parts
    options = made.setdefault("options", {})
    if made["target"]["airflowVersion"].startswith("3") and isinstance(options, dict):
        made["options"] = {"path": "through-2.11"} | options
    return made


@pytest.fixture
def our_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mwaa_migrator").mkdir()
    for name in ("mwaa_migrator_export.py", "mwaa_migrator/__init__.py", "other.py", "mwaa_migrator/notes.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(dag_folder, "DAGS", tmp_path)
