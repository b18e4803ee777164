"""Whether IAM would allow a call: the policy evaluation logic within one account.

It follows the page "Policy evaluation logic" of the IAM user guide. moto's own evaluator ignores conditions, principals
other than `*` and the wildcard `?`, and no other maintained package evaluates policies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Decision = Literal["allowed", "explicitly denied", "not allowed"]


@dataclass(frozen=True)
class Principal:
    """A caller.

    Attributes:
        role_arn: the role whose policies count; empty for the account's administrator.
        session_arn: the caller's name in messages: the ARN of `assumed-role/Role/Function`.
    """

    role_arn: str
    session_arn: str
    account: str

    @property
    def is_administrator(self) -> bool:
        return not self.role_arn

    def is_named_by(self, policy_principal: Any) -> bool:
        """Whether a resource policy's Principal names this role or its session; the account's name is not enough."""
        if policy_principal == "*":
            return True
        if not isinstance(policy_principal, Mapping):
            return False
        named = _as_list(policy_principal.get("AWS", []))
        return any(name in ("*", self.role_arn, self.session_arn) for name in named)

    def account_is_named_by(self, policy_principal: Any) -> bool:
        """Whether a Principal names the account, which leaves the decision to the identities' own policies."""
        if not isinstance(policy_principal, Mapping):
            return False
        named = _as_list(policy_principal.get("AWS", []))
        partition = self.session_arn.split(":")[1]
        return any(name in (self.account, f"arn:{partition}:iam::{self.account}:root") for name in named)


@dataclass(frozen=True)
class Requirement:
    """One action that a call needs.

    Attributes:
        action: `s3:GetObject`.
        resources: the resource's ARNs, any of which a statement may match; log groups, for one, are written in several
            ways.
        context: condition keys, in lower case, with their values.
        resource_policy: the resource's own policy document, if it has one.
        resource_policy_decides: whether identities' policies count only if the resource's policy lets them, as with
            KMS keys.
        granted_to: the roles to which a KMS grant allows this action.
    """

    action: str
    resources: tuple[str, ...]
    context: Mapping[str, str]
    resource_policy: Mapping[str, Any] | None = None
    resource_policy_decides: bool = False
    granted_to: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policies:
    """The policy documents of an identity, and that of its permissions boundary if it has one."""

    documents: tuple[Mapping[str, Any], ...]
    boundary: Mapping[str, Any] | None = None


def decide(principal: Principal, policies: Policies, requirement: Requirement) -> Decision:
    """Evaluates one action within one account.

    An explicit deny in any policy denies. Otherwise a resource policy that names the caller allows, and so do the
    identity's policies within its boundary; a KMS key's policy must first admit the account's identities.
    """
    if principal.is_administrator:
        return "allowed"
    identity = [statement for document in policies.documents for statement in _statements(document)]
    boundary = _statements(policies.boundary) if policies.boundary is not None else None
    resource = _statements(requirement.resource_policy) if requirement.resource_policy is not None else []
    named = [s for s in resource if principal.is_named_by(s.get("Principal"))]
    of_account = [s for s in resource if principal.account_is_named_by(s.get("Principal"))]

    context = {
        "aws:principalarn": principal.role_arn,
        "aws:principalaccount": principal.account,
        "aws:sourceaccount": principal.account,
        "aws:resourceaccount": principal.account,
        # The endpoint speaks plain HTTP to this machine only; over the network AWS's SDKs use TLS.
        "aws:securetransport": "true",
        **requirement.context,
    }

    def says(effect: str, statements: Iterable[Mapping[str, Any]]) -> bool:
        return any(s.get("Effect") == effect and _applies(s, requirement, context) for s in statements)

    if says("Deny", [*identity, *(boundary or []), *named, *of_account]):
        return "explicitly denied"
    if says("Allow", named) or principal.role_arn in requirement.granted_to:
        return "allowed"
    if requirement.resource_policy_decides and not says("Allow", of_account):
        return "not allowed"
    if not says("Allow", identity):
        return "not allowed"
    return "allowed" if boundary is None or says("Allow", boundary) else "not allowed"


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # moto leaves a null where CloudFormation leaves AWS::NoValue out of a list.
    return [statement for statement in _as_list(document.get("Statement", [])) if statement is not None]


def _applies(statement: Mapping[str, Any], requirement: Requirement, context: Mapping[str, str]) -> bool:
    if "NotAction" in statement:
        action = not _any_match(statement["NotAction"], [requirement.action], ignore_case=True)
    else:
        action = _any_match(statement.get("Action", []), [requirement.action], ignore_case=True)
    if not action:
        return False
    if "NotResource" in statement:
        resource = not _any_match(statement["NotResource"], requirement.resources)
    elif "Resource" in statement:
        resource = _any_match(statement["Resource"], requirement.resources)
    else:
        resource = True
    return resource and _conditions_hold(statement.get("Condition", {}), context)


def _conditions_hold(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        _condition_holds(operator, context.get(key.lower()), [str(value) for value in _as_list(values)])
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _condition_holds(operator: str, actual: str | None, wanted: list[str]) -> bool:
    """One operator of the page "IAM JSON policy elements: Condition operators"; an unknown one never holds."""
    set_operator, _, rest = operator.rpartition(":")
    name = rest
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    if actual is None:
        # A missing key fails a positive comparison and satisfies a negated one; ForAllValues is true of no values.
        return if_exists or "Not" in name or set_operator == "ForAllValues"
    if name in ("StringEquals", "ArnEquals", "Bool", "NumericEquals"):
        wild = name == "ArnEquals"
        lower = name == "Bool"
        return any(
            _matches(value, actual) if wild else (value.lower() == actual.lower() if lower else value == actual)
            for value in wanted
        )
    if name in ("StringLike", "ArnLike"):
        return any(_matches(value, actual) for value in wanted)
    if name == "StringEqualsIgnoreCase":
        return actual.lower() in [value.lower() for value in wanted]
    if name == "StringNotEquals":
        return actual not in wanted
    if name in ("StringNotLike", "ArnNotLike", "ArnNotEquals"):
        return not any(_matches(value, actual) for value in wanted)
    return False


def _any_match(patterns: Any, values: Iterable[str], ignore_case: bool = False) -> bool:
    return any(_matches(pattern, value, ignore_case) for pattern in _as_list(patterns) for value in values)


def _matches(pattern: str, value: str, ignore_case: bool = False) -> bool:
    return _compiled(pattern, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
