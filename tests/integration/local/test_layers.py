"""The function with the layer, as the template deploys it here: ruff runs, and the role allows what it does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application

DAG = 'from airflow import DAG\nDAG("a", schedule_interval=None)\n'


@pytest.fixture(scope="module")
def checked(aws: AwsWithMwaa) -> tuple[Any, Any]:
    """What CheckFiles answers for a target that does not exist, and the checks of DAGs that it has left."""
    deployed = application.deploy(aws)
    s3, exchange = aws.client("s3"), deployed.resources["ExchangeBucket"]
    s3.create_bucket(Bucket="dags", CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket="dags", Key="target/dags/a.py", Body=DAG.encode())
    target = {
        "environment": "target",
        "region": aws.region,
        "bucket": "dags",
        "dagsPath": "target/dags",
        "airflowVersion": "3.2.1",
    }
    migration = {
        "id": "m", "attempt": 1, "artifactId": "m-1", "bucket": exchange,
        "source": target, "target": target, "mode": "rehearse",
    }  # fmt: skip
    answer = aws.client("lambda").invoke(
        FunctionName=deployed.functions["CheckFilesFunction"].name,
        Payload=json.dumps({"execution": "e", "migration": migration}),
    )
    left = s3.get_object(Bucket=exchange, Key="migrations/m/1/checks/dag_code.json")["Body"].read()
    return json.loads(answer["Payload"].read()), json.loads(left)


def test_ruff_runs_in_the_function(checked: tuple[Any, Any]) -> None:
    (removed,) = [check for check in checked[1] if check["name"] == "Removed in Airflow 3"]
    assert removed["result"] == "fail"
    assert removed["findings"][0]["line"] == 2


def test_a_list_of_the_templates_defaults_is_a_list(aws: AwsWithMwaa, checked: tuple[Any, Any]) -> None:
    iam, arn = aws.client("iam"), aws.deployed.resources["DeleteFromDagBucketsPolicy"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert [statement["Resource"] for statement in document["Statement"]] == [["arn:*:s3:::*"], ["arn:*:s3:::*/*"]]


def test_what_cannot_be_checked_has_a_name(checked: tuple[Any, Any]) -> None:
    assert checked[0]["errorType"] == "EnvironmentUnavailable"
