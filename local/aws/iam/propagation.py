"""Policies of buckets, roles and keys, and KMS grants, that take their time to arrive.

KMS says so of grants and key policies (developer guide, "Eventual consistency"), IAM of its policies. A change counts
from PERMISSION_DELAY_SECONDS after it was made, as long as they are when somebody asks; by default at once. What
CloudFormation makes counts at once, because it waits for it. Objects and listings in S3 are never late (S3 user guide,
"Amazon S3 data consistency model").
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moto.iam.models import IAMBackend, ManagedPolicy, Role
from moto.kms.models import Grant, Key, KmsBackend
from moto.s3.models import FakeBucket, S3Backend

_BEFORE, _MADE = "before", "made"
_put_bucket_policy = S3Backend.put_bucket_policy
_delete_bucket_policy = S3Backend.delete_bucket_policy
_put_key_policy = KmsBackend.put_key_policy
_add_grant = Key.add_grant
# What changes a role's policies, with the place of the role's name among its arguments.
_OF_ROLES = {
    "put_role_policy": 0,
    "delete_role_policy": 0,
    "attach_role_policy": 1,
    "detach_role_policy": 1,
    "put_role_permissions_boundary": 0,
    "delete_role_permissions_boundary": 0,
}
_ROLE_METHODS = {name: getattr(IAMBackend, name) for name in _OF_ROLES}


class RolePolicies(NamedTuple):
    """A role's inline policies by name, its managed ones by ARN, and the ARN of its permissions boundary."""

    inline: Mapping[str, Any]
    managed: Mapping[str, ManagedPolicy]
    boundary: str | None


def install() -> None:
    """Changes moto for the whole process."""
    S3Backend.put_bucket_policy = _put_policy  # type: ignore[method-assign]
    S3Backend.delete_bucket_policy = _delete_policy  # type: ignore[method-assign]
    KmsBackend.put_key_policy = _put_policy_of_key  # type: ignore[method-assign]
    Key.add_grant = _add_dated_grant  # type: ignore[method-assign]
    for name, method in _ROLE_METHODS.items():
        setattr(IAMBackend, name, _keeping_policies(method, _OF_ROLES[name]))


def policy_that_counts(bucket: FakeBucket) -> Any:
    """A bucket's policy document, as text; None where there is none."""
    return _that_counts(bucket, bucket.policy)


def key_policy_that_counts(key: Key) -> Any:
    """A key's policy document: as text where KMS's API made it, parsed where CloudFormation did."""
    return _that_counts(key, key.policy)


def policies_that_count(role: Role) -> RolePolicies:
    """What a role has that has arrived."""
    found: RolePolicies = _that_counts(role, _policies_of(role))
    return found


def counts(grant: Grant) -> bool:
    """Whether a grant has arrived."""
    return _has_arrived(getattr(grant, _MADE, -math.inf))


def settle(backend: IAMBackend) -> None:
    """Has everything that the roles have now arrived."""
    for role in backend.roles.values():
        vars(role).pop(_BEFORE, None)


def _put_policy(self: S3Backend, bucket_name: str, policy: bytes) -> None:
    _keep(bucket := self.get_bucket(bucket_name), policy_that_counts(bucket))
    _put_bucket_policy(self, bucket_name, policy)


def _delete_policy(self: S3Backend, bucket_name: str) -> None:
    _keep(bucket := self.get_bucket(bucket_name), policy_that_counts(bucket))
    _delete_bucket_policy(self, bucket_name)


def _put_policy_of_key(self: KmsBackend, key_id: str, policy: str) -> None:
    _keep(key := self.keys[self.get_key_id(key_id)], key_policy_that_counts(key))
    _put_key_policy(self, key_id, policy)


def _keeping_policies(change: Callable[..., None], place: int) -> Callable[..., None]:
    def changed(self: IAMBackend, *arguments: str, **named: str) -> None:
        role = self.get_role(named["role_name"] if "role_name" in named else arguments[place])
        _keep(role, policies_that_count(role))
        change(self, *arguments, **named)

    return changed


def _add_dated_grant(self: Key, *arguments: Any, **named: Any) -> Grant:
    grant = _add_grant(self, *arguments, **named)
    if not hasattr(grant, _MADE):
        setattr(grant, _MADE, time.monotonic())
    return grant


def _keep(thing: Any, before: Any) -> None:
    """Notes what has counted for a thing until now, which is about to be changed."""
    setattr(thing, _BEFORE, (before, time.monotonic()))


def _that_counts(thing: Any, now: Any) -> Any:
    before, made = getattr(thing, _BEFORE, (None, -math.inf))
    return now if _has_arrived(made) else before


def _policies_of(role: Role) -> RolePolicies:
    return RolePolicies(dict(role.policies), dict(role.managed_policies), role.permissions_boundary_arn)


def _has_arrived(made: float) -> bool:
    return time.monotonic() >= made + float(os.environ.get("PERMISSION_DELAY_SECONDS", "0"))
