"""What an agent may do in an account, by the policy that its page has, and whether that is what it does."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from mwaa_migrator.agent import check, serve
from mwaa_migrator.agent.serve import Agent, request_name
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import MULTIPART_BYTES, S3Storage
from mwaa_migrator.errors import MissingRight
from mwaa_migrator.progress import Progress

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.installations.folders import ROOT

REGION, ID = "eu-west-1", "prod-3-1a2b3c"
PAGE = Path(ROOT) / "docs" / "from-your-own-airflow.md"
# Of an upload in parts that fails.
NOT_USED_HERE = {"s3:AbortMultipartUpload"}


def policy(key: str) -> dict[str, Any]:
    """The page's, for this bucket and this key."""
    (text,) = re.findall(r"```json\n(\{\s*\"Version\".*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name, value in {"BUCKET": "exchange", "PREFIX": "artifacts", "ID": ID, "KEY-ARN": key}.items():
        text = text.replace(name, value)
    document: dict[str, Any] = json.loads(text)
    return document


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """With an encrypted bucket, and this process as the agent's role."""
    made = Endpoint(Identities())
    made.start()
    admin = {name: made.client(name, made.identities.administrator, REGION) for name in ("s3", "kms", "iam")}
    key = admin["kms"].create_key()["KeyMetadata"]["Arn"]
    admin["s3"].create_bucket(Bucket="exchange", CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    admin["s3"].put_bucket_encryption(Bucket="exchange", ServerSideEncryptionConfiguration={"Rules": [rule]})
    role = admin["iam"].create_role(RoleName="Agent", AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
    admin["iam"].put_role_policy(RoleName="Agent", PolicyName="page", PolicyDocument=json.dumps(policy(key)))
    variables = made.identities.assume_role(role, "agent").environment()
    for name, value in {**variables, "AWS_ENDPOINT_URL": made.url, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    # It keeps the credentials that it has found once.
    boto3.setup_default_session()
    yield made
    boto3.setup_default_session()
    made.stop()


def test_what_the_page_allows_is_what_an_agent_does(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    place = open_storage(f"s3://exchange/artifacts/{ID}")
    assert isinstance(place, S3Storage)
    assert check.look_at_place(place)

    def work(task: str, storage: Any, *_: Any) -> dict[str, Any]:
        storage.write_bytes("tables/dag_run/1.copy.gz", b"x" * (MULTIPART_BYTES + 1))
        return {}

    monkeypatch.setattr(serve, "work_in_process", work)
    monkeypatch.setattr(serve, "_POLL_SECONDS", 0.05)
    conf = {"artifact": place.url, "options": {}}
    place.write_json(request_name("r"), {"run_id": "r", "tasks": ["export"], "conf": conf, "asked": ""})
    agent = Agent(place, Progress())
    thread = threading.Thread(target=agent.serve, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while place.size("export.json") is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    agent.end()
    thread.join(10)
    calls = [call for call in endpoint.record.calls() if call.role_arn.endswith("role/Agent")]
    assert [call for call in calls if call.decision != "allowed"] == []
    allowed = {action for statement in policy("k")["Statement"] for action in statement["Action"]}
    assert allowed - {call.action for call in calls} == NOT_USED_HERE


def test_another_migrations_objects_are_out_of_its_reach(endpoint: Endpoint) -> None:
    other = open_storage("s3://exchange/artifacts/another")
    assert isinstance(other, S3Storage)
    with pytest.raises(MissingRight):
        other.write_json("x.json", {})
    with pytest.raises(MissingRight):
        other.names("agent")
