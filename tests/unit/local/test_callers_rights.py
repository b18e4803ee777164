"""What a caller needs whose call another service carries out, and how log groups are named: as AWS asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities

REGION = "eu-west-1"
GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:airflow-prod-Task"
# The user guide's AmazonMWAAFullApiAccess, without keys.
RIGHTS = [
    "airflow:CreateEnvironment",
    "airflow:TagResource",
    "iam:PassRole",
    "s3:GetEncryptionConfiguration",
    *(f"ec2:Describe{what}" for what in ("RouteTables", "SecurityGroups", "Subnets", "Vpcs")),
    "ec2:CreateVpcEndpoint",
    "ec2:CreateNetworkInterface",
]
ON_A_KEY = ["DescribeKey", "ListGrants", "CreateGrant", "RevokeGrant", "Decrypt", "Encrypt", "GenerateDataKey"]


class Caller:
    """A role with rights that a test gives it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.iam = self.client("iam", administrator=True)
        made = self.iam.create_role(RoleName="Caller", AssumeRolePolicyDocument='{"Statement": []}')
        self._role = made["Role"]["Arn"]
        self.key = self.client("kms", administrator=True).create_key()["KeyMetadata"]["Arn"]

    def client(self, service: str, *, administrator: bool = False) -> Any:
        identities = self._endpoint.identities
        credentials = identities.administrator if administrator else identities.assume_role(self._role, "caller")
        return self._endpoint.client(service, credentials, REGION)

    def may(self, *actions: str, on: Any = "*") -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName="Caller", PolicyName="rights", PolicyDocument=document)

    def denied(self, **more: Any) -> str | None:
        """The action that CreateEnvironment is refused for; None where all are allowed."""
        request = {
            "Name": "prod-3",
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/airflow",
            "SourceBucketArn": "arn:aws:s3:::dags",
            "DagS3Path": "dags",
            "NetworkConfiguration": {"SubnetIds": ["subnet-0a", "subnet-0b"]},
            "Tags": {"a": "b"},
        }
        try:
            self.client("mwaa").create_environment(**request, **more)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return str(error).split("not authorized to perform: ")[1].split(" ")[0]
        # There is no Amazon MWAA behind this endpoint: what it answers then is no refusal.
        return None


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    endpoint = Endpoint(Identities())
    endpoint.start()
    yield Caller(endpoint)
    endpoint.stop()


@pytest.mark.parametrize("missing", RIGHTS)
def test_who_creates_an_environment_needs_all_that_mwaa_does_in_their_name(caller: Caller, missing: str) -> None:
    caller.may(*(action for action in RIGHTS if action != missing))
    assert caller.denied() == missing


def test_with_all_of_it_an_environment_is_created(caller: Caller) -> None:
    caller.may(*RIGHTS)
    assert caller.denied() is None
    assert caller.denied(KmsKey=caller.key) == "kms:DescribeKey"
    caller.may(*RIGHTS, *(f"kms:{action}" for action in ON_A_KEY))
    assert caller.denied(KmsKey=caller.key) is None


@pytest.mark.parametrize(("named", "allowed"), [(GROUP, False), (f"{GROUP}:*", True), ([GROUP, f"{GROUP}:*"], True)])
def test_a_log_group_without_its_streams_allows_nothing_in_it(caller: Caller, named: Any, allowed: bool) -> None:
    logs = caller.client("logs")
    caller.may("logs:DescribeLogStreams", on=named)
    with pytest.raises(ClientError) as refused:
        logs.describe_log_streams(logGroupName="airflow-prod-Task")
    code = "ResourceNotFoundException" if allowed else "AccessDeniedException"
    assert refused.value.response["Error"]["Code"] == code
