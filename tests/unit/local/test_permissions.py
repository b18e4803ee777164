"""The policy evaluation logic, one rule a case."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.iam.policy_evaluation import Policies, Principal, Requirement, decide

ROLE = "arn:aws:iam::123456789012:role/Plan"
PRINCIPAL = Principal(ROLE, "arn:aws:sts::123456789012:assumed-role/Plan/PlanFunction", "123456789012")
OBJECT = "arn:aws:s3:::exchange/migrations/1/plan.json"


def statement(
    effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decision(
    *statements: dict[str, Any],
    bucket: dict[str, Any] | None = None,
    boundary: dict[str, Any] | None = None,
    context: dict[str, str] | None = None,
) -> str:
    requirement = Requirement("s3:GetObject", (OBJECT,), context or {}, bucket)
    return decide(PRINCIPAL, Policies((policy(*statements),), boundary), requirement)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param([], "not allowed", id="nothing is allowed by default"),
        pytest.param([statement()], "allowed", id="named action and resource"),
        pytest.param([statement(action="s3:getobject")], "allowed", id="actions ignore case"),
        pytest.param([statement(action=["s3:Get*"])], "allowed", id="star in the action"),
        pytest.param([statement(action="s3:GetObjec?")], "allowed", id="question mark"),
        pytest.param([statement(action="s3:GetObjectVersion")], "not allowed", id="another action"),
        pytest.param([statement(resource="arn:aws:s3:::exchange/*")], "allowed", id="star in the resource"),
        pytest.param([statement(resource="arn:aws:s3:::exchange")], "not allowed", id="the bucket is not its objects"),
        pytest.param([statement(), statement("Deny")], "explicitly denied", id="a deny wins"),
        pytest.param([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "allowed", id="NotAction"),
        pytest.param(
            [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::exchange/*"}],
            "not allowed",
            id="NotResource",
        ),
    ],
)
def test_identity_policies(statements: list[dict[str, Any]], expected: str) -> None:
    assert decision(*statements) == expected


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}}, {"kms:viaservice": "s3.amazonaws.com"}, True),
        ({"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}}, {}, False),
        ({"StringLike": {"s3:prefix": ["migrations/*", "artifacts/*"]}}, {"s3:prefix": "artifacts/1"}, True),
        ({"StringLike": {"s3:prefix": "migrations/*"}}, {"s3:prefix": "other/1"}, False),
        ({"StringLikeIfExists": {"s3:prefix": "migrations/*"}}, {}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, {"aws:requestedregion": "eu-west-1"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Pl*"}}, {}, True),
        ({"NobodyKnowsThis": {"s3:prefix": "x"}}, {"s3:prefix": "x"}, False),
    ],
)  # fmt: skip
def test_conditions(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    assert (decision(statement(Condition=condition), context=context) == "allowed") is holds


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": ROLE}, "allowed"),
        ({"AWS": [PRINCIPAL.session_arn]}, "allowed"),
        ("*", "allowed"),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "not allowed"),
        ({"AWS": "arn:aws:iam::123456789012:role/Other"}, "not allowed"),
        ({"Service": "s3.amazonaws.com"}, "not allowed"),
    ],
)
def test_a_bucket_policy_allows_whom_it_names(principal: Any, expected: str) -> None:
    assert decision(bucket=policy(statement(Principal=principal))) == expected


def test_a_bucket_policy_can_deny_everybody() -> None:
    assert decision(statement(), bucket=policy(statement("Deny", Principal="*"))) == "explicitly denied"


def test_a_boundary_limits_what_policies_allow() -> None:
    assert decision(statement(), boundary=policy(statement(action="logs:*"))) == "not allowed"
    assert decision(statement(), boundary=policy(statement(action="s3:*", resource="*"))) == "allowed"


@pytest.mark.parametrize(
    ("key_policy", "identity", "granted", "expected"),
    [
        pytest.param(
            [{"AWS": "arn:aws:iam::123456789012:root"}], True, False, "allowed", id="IAM is let in, and allows"
        ),
        pytest.param([{"AWS": "arn:aws:iam::123456789012:root"}], False, False, "not allowed", id="IAM is let in only"),
        pytest.param([], True, False, "not allowed", id="IAM is not let in"),
        pytest.param([{"AWS": ROLE}], False, False, "allowed", id="the key names the role"),
        pytest.param([], False, True, "allowed", id="a grant"),
    ],
)
def test_keys(key_policy: list[dict[str, Any]], identity: bool, granted: bool, expected: str) -> None:
    arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
    document = policy(*({"Effect": "Allow", "Principal": p, "Action": "kms:*", "Resource": "*"} for p in key_policy))
    requirement = Requirement(
        "kms:Decrypt",
        (arn,),
        {},
        document,
        resource_policy_decides=True,
        granted_to=frozenset({ROLE} if granted else ()),
    )
    policies = Policies((policy(statement(action="kms:Decrypt", resource=arn)),) if identity else ())
    assert decide(PRINCIPAL, policies, requirement) == expected


def test_the_administrator_may_do_everything() -> None:
    administrator = Principal("", "arn:aws:iam::123456789012:user/administrator", "123456789012")
    assert decide(administrator, Policies(()), Requirement("iam:DeleteRole", ("*",), {})) == "allowed"
