"""One local AWS for the tests of this folder; each makes what it needs in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa

MakeRole = Callable[..., str]


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsWithMwaa]:
    with AwsWithMwaa() as started:
        yield started


@pytest.fixture(scope="module")
def make_role(aws: AwsWithMwaa) -> MakeRole:
    """make_role(name, service, *statements): a role with these permissions, which that service may assume; its ARN."""

    def make(name: str, service: str, *statements: dict[str, Any]) -> str:
        iam = aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        role: str = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        if statements:
            document = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=json.dumps(document))
        return role

    return make
