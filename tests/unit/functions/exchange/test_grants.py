"""Migrations that change the exchange bucket's policy at the same time, with moto's S3 and KMS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from migration import errors
from migration.aws import clients
from migration.exchange import grants
from tests.unit.functions.conftest import ROLE


class Interrupted:
    """S3, in which something happens once before or after a policy is put."""

    def __init__(self, *, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> None:
        self._s3 = clients.s3()
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_bucket_policy(self, **request: Any) -> None:
        before, self._before = self._before, None
        if before is not None:
            before()
        self._s3.put_bucket_policy(**request)
        after, self._after = self._after, None
        if after is not None:
            after()


class Stale:
    """S3 that shows the bucket's policy as it was, as it may for a while after a change."""

    def __init__(self) -> None:
        self._s3 = clients.s3()
        self._shown = self._s3.get_bucket_policy(Bucket="exchange")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_bucket_policy(self, **_: Any) -> Any:
        return self._shown


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "_PAUSE", 0.01)


def grant(artifact_id: str, s3: Any = None) -> None:
    key = os.environ["KEY_ARN"]
    grants.grant(s3 or clients.s3(), clients.kms(), "exchange", key, [f"artifacts/{artifact_id}"], artifact_id, [ROLE])


def revoke(artifact_id: str, s3: Any = None) -> None:
    grants.revoke(s3 or clients.s3(), clients.kms(), "exchange", os.environ["KEY_ARN"], artifact_id)


def granted() -> set[str]:
    """The Sids in the policy, but for the stack's own."""
    policy = json.loads(clients.s3().get_bucket_policy(Bucket="exchange")["Policy"])
    sids = [item["Sid"] for item in policy["Statement"]]
    assert sids.count("TlsOnly") == 1
    assert len(sids) == len(set(sids))
    return set(sids) - {"TlsOnly"}


def statements_of(*artifact_ids: str) -> set[str]:
    return {sid for artifact_id in artifact_ids for sid in grants.statement_ids(artifact_id)}


@pytest.fixture(autouse=True)
def stacks_policy() -> None:
    # moto knows no conditions, so it denies something that nobody asks for.
    tls_only = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})
    clients.s3().put_bucket_policy(Bucket="exchange", Policy=policy)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_grant_in_the_middle_of_another_is_not_lost(when: str) -> None:
    grant("one", Interrupted(**{when: lambda: grant("two")}))
    assert granted() == statements_of("one", "two")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_grant_in_the_middle_of_a_revocation_is_not_lost(when: str) -> None:
    grant("one")
    revoke("one", Interrupted(**{when: lambda: grant("two")}))
    assert granted() == statements_of("two")


def test_a_revocation_in_the_middle_of_a_grant_is_not_undone() -> None:
    grant("one")
    grant("two", Interrupted(before=lambda: revoke("one")))
    assert granted() == statements_of("two")


def test_an_old_policy_that_s3_still_shows_loses_nothing() -> None:
    stale = Stale()
    grant("one")
    grant("two", stale)
    assert granted() == statements_of("one", "two")
    revoke("two", stale)
    assert granted() == statements_of("one")


def test_a_function_that_died_before_it_put_the_policy_is_retried() -> None:
    class Died(Exception):
        pass

    def die() -> None:
        raise Died

    with pytest.raises(Died):
        grant("one", Interrupted(before=die))
    assert granted() == set()
    grant("one")
    assert granted() == statements_of("one")


def test_a_role_that_s3_does_not_know_is_in_no_other_policy() -> None:
    """As when it was deleted after KMS had looked."""

    def refuse() -> None:
        raise ClientError({"Error": {"Code": "MalformedPolicy", "Message": "Invalid principal"}}, "PutBucketPolicy")

    with pytest.raises(errors.RoleNotFound, match="policy of exchange"):
        grant("one", Interrupted(before=refuse))
    grant("two")
    assert granted() == statements_of("two")


@pytest.mark.parametrize(
    ("act", "there", "left"), [(grant, ("zero",), ("one", "two")), (revoke, ("zero", "one"), ("two",))]
)
def test_changes_within_changes_within_a_change(
    act: Callable[[str, Any], None], there: tuple[str, ...], left: tuple[str, ...]
) -> None:
    for artifact_id in there:
        grant(artifact_id)
    inner = Interrupted(before=lambda: revoke("zero"), after=lambda: grant("three"))
    middle = Interrupted(before=lambda: grant("two", inner), after=lambda: revoke("three"))
    act("one", middle)
    assert granted() == statements_of(*left)


def test_it_ends_where_others_never_stop() -> None:
    class Busy(Interrupted):
        def put_bucket_policy(self, **request: Any) -> None:
            super().put_bucket_policy(**request)
            clients.s3().put_object(Bucket="exchange", Key="bucket-policy/statements.json", Body=b"[]")

    with pytest.raises(errors.TransientError, match="The policy of exchange was changed by other migrations 20 times"):
        grant("one", Busy())
