"""A policy that asks for a resource's tags, at the endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from werkzeug.wrappers import Response

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest

REGION = "eu-west-1"


class Environments:
    """Amazon MWAA with two environments, one of them tagged."""

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "mwaa"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        return Response("{}")

    def tags_of(self, request: AwsRequest) -> Mapping[str, str]:
        return {"mwaa-migrator:throw-away": "true"} if request.parameters["Name"] == "tagged" else {}


@pytest.fixture
def mwaa() -> Iterator[Any]:
    """A client whose role may delete what has the tag."""
    endpoint = Endpoint(Identities())
    endpoint.add(Environments())
    endpoint.start()

    def client(service: str, credentials: Any) -> Any:
        return endpoint.client(service, credentials, REGION)

    iam = client("iam", endpoint.identities.administrator)
    role = iam.create_role(RoleName="sweep", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    allow = {
        "Effect": "Allow",
        "Action": "airflow:DeleteEnvironment",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/mwaa-migrator:throw-away": "true"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="sweep", PolicyName="p", PolicyDocument=document)
    yield client("mwaa", endpoint.identities.assume_role(role["Role"]["Arn"], "sweep"))
    endpoint.stop()


def test_only_what_has_the_tag(mwaa: Any) -> None:
    assert mwaa.delete_environment(Name="tagged")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError, match="is not authorized to perform: airflow:DeleteEnvironment"):
        mwaa.delete_environment(Name="other")
