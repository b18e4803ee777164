"""Bucket policies and KMS grants that take their time to arrive.

KMS says so of grants (developer guide, "Eventual consistency"), IAM of its policies. A change counts from
PERMISSION_DELAY_SECONDS after it was made, as long as they are when somebody asks; by default at once.
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

from moto.kms.models import Grant, Key
from moto.s3.models import FakeBucket, S3Backend

_BEFORE, _MADE = "policy_before", "made"
_put_bucket_policy = S3Backend.put_bucket_policy
_delete_bucket_policy = S3Backend.delete_bucket_policy
_add_grant = Key.add_grant


def install() -> None:
    """Changes moto for the whole process."""
    S3Backend.put_bucket_policy = _put_policy  # type: ignore[method-assign]
    S3Backend.delete_bucket_policy = _delete_policy  # type: ignore[method-assign]
    Key.add_grant = _add_dated_grant  # type: ignore[method-assign]


def policy_that_counts(bucket: FakeBucket) -> Any:
    """A bucket's policy document, as text; None where there is none."""
    before, made = getattr(bucket, _BEFORE, (None, -math.inf))
    return bucket.policy if _has_arrived(made) else before


def counts(grant: Grant) -> bool:
    """Whether a grant has arrived."""
    return _has_arrived(getattr(grant, _MADE, -math.inf))


def _put_policy(self: S3Backend, bucket_name: str, policy: bytes) -> None:
    _keep_policy(self.get_bucket(bucket_name))
    _put_bucket_policy(self, bucket_name, policy)


def _delete_policy(self: S3Backend, bucket_name: str) -> None:
    _keep_policy(self.get_bucket(bucket_name))
    _delete_bucket_policy(self, bucket_name)


def _keep_policy(bucket: FakeBucket) -> None:
    setattr(bucket, _BEFORE, (policy_that_counts(bucket), time.monotonic()))


def _add_dated_grant(self: Key, *arguments: Any, **named: Any) -> Grant:
    grant = _add_grant(self, *arguments, **named)
    if not hasattr(grant, _MADE):
        setattr(grant, _MADE, time.monotonic())
    return grant


def _has_arrived(made: float) -> bool:
    return time.monotonic() >= made + float(os.environ.get("PERMISSION_DELAY_SECONDS", "0"))
