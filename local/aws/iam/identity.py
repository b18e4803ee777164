"""Who calls: the access keys of the local account, and the policies behind them."""

from __future__ import annotations

import functools
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.iam.models import IAMBackend, ManagedPolicy, Role, iam_backends
from moto.sts.models import STSBackend, sts_backends

from local.aws.arns import arn, iam_arn, partition
from local.aws.iam import propagation
from local.aws.iam.policy_evaluation import Policies, Principal

#: The account that moto's back ends use by default.
ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-west-1"


class UnknownAccessKey(Exception):
    """Nobody in the local account has that access key."""


class RoleNotFound(Exception):
    """The local account has no such role."""


@dataclass(frozen=True)
class Credentials:
    """An access key, as an AWS SDK signs with it."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """As the environment variables that every AWS SDK reads."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        return {**variables, "AWS_SESSION_TOKEN": self.session_token} if self.session_token else variables


class Identities:
    """The account's administrator, the AWS services themselves, and every session of a role that STS has given out."""

    def __init__(self, account: str = ACCOUNT, region: str = DEFAULT_REGION) -> None:
        self.account = account
        self.region = region
        #: For people: may do everything.
        self.administrator = Credentials(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
        #: For what AWS does itself, such as MWAA making log groups; never recorded as anybody's call.
        self.service = Credentials(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
        self._sessions: dict[tuple[str, str], Credentials] = {}
        self._lock = threading.Lock()

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional service's resource in this account; `service` is IAM's name for it."""
        return arn(service, self.region, self.account, resource)

    def assume_role(self, role_arn: str, session_name: str) -> Credentials:
        """The credentials of a role's session: the same ones for the same role and session name.

        They do not expire, because whoever uses them lives no longer than the local AWS.

        Raises:
            RoleNotFound: there is no such role.
        """
        self.role(role_arn)
        with self._lock:
            if (role_arn, session_name) not in self._sessions:
                assumed = self._sts.assume_role(
                    region_name=self.region,
                    role_session_name=session_name[:64],
                    role_arn=role_arn,
                    policy="",
                    duration=43200,
                    external_id="",
                )
                self._sessions[role_arn, session_name] = Credentials(
                    assumed.access_key_id, assumed.secret_access_key, assumed.session_token
                )
            return self._sessions[role_arn, session_name]

    def forget_session(self, role_arn: str, session_name: str) -> None:
        """Makes a session's credentials invalid."""
        with self._lock:
            gone = self._sessions.pop((role_arn, session_name), None)
        if gone is not None:
            backend = self._sts
            backend.assumed_roles = [r for r in backend.assumed_roles if r.access_key_id != gone.access_key_id]

    def is_service(self, access_key_id: str) -> bool:
        return access_key_id == self.service.access_key_id

    def principal(self, access_key_id: str) -> Principal:
        """The caller that signs with an access key.

        Raises:
            UnknownAccessKey: there is none.
        """
        if access_key_id in (self.administrator.access_key_id, self.service.access_key_id):
            return Principal("", iam_arn(self.region, self.account, "user/administrator"), self.account)
        assumed = self._sts.get_assumed_role_from_access_key(access_key_id)
        if assumed is None:
            raise UnknownAccessKey(
                f"nobody in the local AWS has the access key {access_key_id}; use the credentials that it printed when "
                "it started, or those of a role that was assumed here"
            )
        return Principal(assumed.role_arn, assumed.arn, self.account)

    def policies(self, principal: Principal) -> Policies:
        """The inline and attached policies of a role that count now, and its permissions boundary."""
        if principal.is_administrator:
            return Policies(())
        try:
            role = self.role(principal.role_arn)
        except RoleNotFound:
            return Policies(())
        counting = propagation.policies_that_count(role)
        documents = [_document(text) for text in counting.inline.values()]
        documents += [_document(_default_version(policy)) for policy in counting.managed.values()]
        boundary = self._iam.managed_policies.get(counting.boundary or "")
        return Policies(tuple(documents), _document(_default_version(boundary)) if boundary is not None else None)

    def role(self, role_arn: str) -> Role:
        """
        Raises:
            RoleNotFound: there is no such role.
        """
        role = next((role for role in self._iam.roles.values() if role.arn == role_arn), None)
        if role is None:
            raise RoleNotFound(f"there is no role {role_arn} in the local AWS; create it before it is used")
        return role

    def let_policies_arrive(self) -> None:
        """Has every policy that the account's roles have now count, however late policies are."""
        propagation.settle(self._iam)

    def trusts(self, role_arn: str, service: str) -> bool:
        """Whether a role's trust policy lets an AWS service assume it."""
        trust = _document(self.role(role_arn).assume_role_policy_document)
        statements = trust.get("Statement", [])
        for statement in statements if isinstance(statements, list) else [statements]:
            named = statement.get("Principal", {})
            services = named.get("Service", []) if isinstance(named, Mapping) else []
            if statement.get("Effect") == "Allow" and service in (
                [services] if isinstance(services, str) else services
            ):
                return True
        return False

    @property
    def _iam(self) -> IAMBackend:
        return iam_backends[self.account][partition(self.region)]

    @property
    def _sts(self) -> STSBackend:
        return sts_backends[self.account][partition(self.region)]


def _default_version(policy: ManagedPolicy) -> str | None:
    return next((v.document for v in policy.versions if v.version_id == policy.default_version_id), None)


def _document(text: Any) -> Mapping[str, Any]:
    parsed = _parsed(text) if isinstance(text, str | bytes) else text
    return parsed if isinstance(parsed, Mapping) else {}


# Each request is held against its caller's policies, and whoever evaluates them changes nothing.
_parsed = functools.lru_cache(maxsize=1024)(json.loads)
