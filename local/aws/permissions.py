"""Whether IAM would allow a call: the policy evaluation logic of one account, and a record of what was called.

moto's own evaluator was tried first: it ignores conditions, principals other than `*` and the wildcard `?`, and no
other kept package evaluates policies; so this one follows the "Policy evaluation logic" page of the IAM user guide.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Decision = Literal["allowed", "explicitly denied", "not allowed"]


@dataclass(frozen=True)
class Principal:
    """Who calls.

    Attributes:
        role_arn: the role whose policies count; empty for the account's administrator.
        session_arn: what the caller is called in messages: the ARN of `assumed-role/Role/Function`.
    """

    role_arn: str
    session_arn: str
    account: str

    @property
    def is_administrator(self) -> bool:
        return not self.role_arn

    def is_named_by(self, policy_principal: Any) -> bool:
        """Whether a resource policy's Principal names this role or its session, not merely the account."""
        if policy_principal == "*":
            return True
        if not isinstance(policy_principal, Mapping):
            return False
        named = _as_list(policy_principal.get("AWS", []))
        return any(name in ("*", self.role_arn, self.session_arn) for name in named)

    def account_is_named_by(self, policy_principal: Any) -> bool:
        """Whether a Principal names the whole account, which leaves the decision to the identity's own policies."""
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
        resources: ARNs, any of which a statement may match. Usually one; log groups are written in several ways.
        context: condition keys in lower case with their values.
        resource_policy: the policy document of the resource, where the service has one there.
        resource_policy_decides: whether an identity's policies count only if the resource policy says so, as a KMS
            key's does.
        granted_to: the roles that a KMS grant lets do this.
    """

    action: str
    resources: tuple[str, ...]
    context: Mapping[str, str]
    resource_policy: Mapping[str, Any] | None = None
    resource_policy_decides: bool = False
    granted_to: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policies:
    """The documents that belong to an identity; `boundary` is its permissions boundary, if it has one."""

    documents: tuple[Mapping[str, Any], ...]
    boundary: Mapping[str, Any] | None = None


def decide(principal: Principal, policies: Policies, requirement: Requirement) -> Decision:
    """Evaluates one action within one account.

    An explicit deny anywhere decides. Else a resource policy that names the caller allows, and so do the identity's
    policies within its boundary; a KMS key's policy must first let the account's identities in.
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

    def says(effect: str, statements: Iterable[Mapping[str, Any]], with_resource: bool = True) -> bool:
        return any(s.get("Effect") == effect and _applies(s, requirement, context, with_resource) for s in statements)

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


def _applies(
    statement: Mapping[str, Any], requirement: Requirement, context: Mapping[str, str], with_resource: bool
) -> bool:
    if "NotAction" in statement:
        action = not _any_match(statement["NotAction"], [requirement.action], ignore_case=True)
    else:
        action = _any_match(statement.get("Action", []), [requirement.action], ignore_case=True)
    if not action:
        return False
    if "NotResource" in statement:
        resource = not _any_match(statement["NotResource"], requirement.resources)
    elif "Resource" in statement and with_resource:
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
    """One operator of the "IAM JSON policy elements: Condition operators" page; unknown ones never hold."""
    set_operator, _, rest = operator.rpartition(":")
    name = rest
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    if actual is None:
        # A missing key fails a positive comparison, satisfies a negated one, and ForAllValues is true of no values.
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


@dataclass(frozen=True)
class Call:
    """One action that was asked for: by which role, on what, and what became of it."""

    role_arn: str
    action: str
    resource: str
    decision: Decision


class CallRecord:
    """The distinct calls that roles made, for the comparison of what is granted with what is used."""

    def __init__(self) -> None:
        self._calls: dict[Call, int] = {}
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls[call] = self._calls.get(call, 0) + 1

    def calls(self) -> dict[Call, int]:
        """Each distinct call with its number, in the order of the first."""
        with self._lock:
            return dict(self._calls)
