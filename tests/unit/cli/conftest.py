"""The command line with moto's AWS behind it, the application's stack in it, and Amazon MWAA as a table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from local.aws.iam import policy_simulation
from migration.aws import clients
from mwaa_migrator_cli.commands import cli
from tests.unit.functions.conftest import REGION, TRUST, mwaa

__all__ = ["mwaa"]
ARN = f"arn:aws:states:{REGION}:123456789012:stateMachine:migrate"
TEMPLATE: dict[str, Any] = {
    "Parameters": {"ImportVersion": {"Type": "String", "Default": "2.11.2"}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {
        "StateMachineArn": {"Value": ARN},
        "RehearseStateMachineArn": {"Value": ARN},
        "ExchangeBucket": {"Value": "exchange"},
    },
}
Run = Callable[..., Result]
# Commands make sessions of their own, and each would parse the same models again.
MODELS = botocore.loaders.create_loader()


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with the stack; the commands may change this process's variables and clients."""
    before = dict(os.environ)
    monkeypatch.setattr(botocore.session, "create_loader", lambda search_path_string=None: MODELS)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    policy_simulation.install()
    with mock_aws():
        clients._client.cache_clear()
        boto3.setup_default_session()
        s3: Any = boto3.client("s3")
        for bucket in ("exchange", "dags"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="dags", VersioningConfiguration={"Status": "Enabled"})
        boto3.client("iam").create_role(RoleName="airflow", AssumeRolePolicyDocument=json.dumps(TRUST))
        boto3.client("cloudformation").create_stack(StackName="mwaa-migrator", TemplateBody=json.dumps(TEMPLATE))
        yield
    os.environ.clear()
    os.environ.update(before)
    clients._client.cache_clear()
    boto3.setup_default_session()


@pytest.fixture
def run() -> Run:
    """Runs a command line; its result has `exit_code`, `stdout` and `stderr`."""

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner(mix_stderr=False, env={"COLUMNS": "100"}).invoke(
            cli, arguments, input=stdin, catch_exceptions=False
        )

    return invoke


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes an input; the usual one with other parts."""

    def file(text: str | None = None, **parts: Any) -> str:
        target = {"environment": "prod-3", "airflowVersion": "3.2.1"}
        document = {"source": {"environment": "prod-2-10"}, "target": target} | parts
        path = tmp_path / "input.json"
        path.write_text(json.dumps(document) if text is None else text)
        return str(path)

    return file
