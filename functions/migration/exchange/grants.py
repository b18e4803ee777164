"""What the environments' execution roles may do in the exchange bucket while a migration lasts.

The reasons are in docs/decisions.md, "No execution role is edited".

The bucket's side is two policy statements per migration, the key's side a KMS grant per role. Both name the roles by
ARN and suffice within an account, so nobody edits a role. Grants are objects of their own; the bucket policy is one
document, which S3 replaces unconditionally and may show as it was for a while (S3 User Guide, "Amazon S3 data
consistency model"). So the statements of all migrations are kept in an object, which is written only over the version
that was read, and the policy is made from it: a migration that has put an old policy sees so, and puts the new one.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of
from migration.errors import RoleNotFound, TransientError
from migration.exchange import json_object, layout
from migration.exchange.json_object import Tagged

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

Statement = dict[str, Any]

_SIDS = ("MigrationObjects", "MigrationList")
_ATTEMPTS = 20
#: Seconds, at random up to this, so that migrations which got into each other's way do not do so again.
_PAUSE = 2.0


def statement_ids(artifact_id: str) -> tuple[str, str]:
    """Sids of a migration's statements: letters and digits only, as the policy language wants."""
    fingerprint = hashlib.sha256(artifact_id.encode()).hexdigest()[:16]
    objects, listing = _SIDS
    return objects + fingerprint, listing + fingerprint


def statements(partition: str, bucket: str, prefixes: list[str], artifact_id: str, roles: list[str]) -> list[Statement]:
    """What `roles` may do under `prefixes` (no slash at their ends) of the bucket, and nowhere else.

    `partition` is the bucket's: aws, aws-cn in China, aws-us-gov in GovCloud.
    """
    objects, listing = statement_ids(artifact_id)
    principal = {"AWS": sorted(set(roles))}
    return [
        {
            "Sid": objects,
            "Effect": "Allow",
            "Principal": principal,
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            "Resource": _one_or_all([f"arn:{partition}:s3:::{bucket}/{prefix}/*" for prefix in prefixes]),
        },
        {
            "Sid": listing,
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:ListBucket",
            "Resource": f"arn:{partition}:s3:::{bucket}",
            "Condition": {"StringLikeIfExists": {"s3:prefix": _one_or_all([f"{prefix}/*" for prefix in prefixes])}},
        },
    ]


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def grant(
    s3: S3Client,
    kms: KMSClient,
    bucket: str,
    key: str,
    prefixes: list[str],
    artifact_id: str,
    roles: list[str],
) -> None:
    """Grants the roles access to what lies under the prefixes. Granting twice is harmless.

    `key` is the ARN of the key that encrypts the bucket.

    Raises:
        RoleNotFound: one of the roles does not exist.
    """
    # Before the policy, because a role that does not exist would spoil it for every other migration.
    for role in sorted(set(roles)):
        try:
            # One name, one grant: KMS answers a repetition with the grant that is there.
            kms.create_grant(
                KeyId=key,
                GranteePrincipal=role,
                Operations=["Decrypt", "GenerateDataKey"],
                Name=_grant_name(artifact_id),
            )
        except ClientError as error:
            if code_of(error) == "InvalidArnException":
                raise RoleNotFound(f"KMS does not know the execution role {role}. Does it still exist?") from error
            raise
    # The bucket is encrypted with the key, so both are in one partition.
    partition = key.split(":")[1]
    _change_policy(s3, bucket, artifact_id, statements(partition, bucket, prefixes, artifact_id, roles))


def revoke(s3: S3Client, kms: KMSClient, bucket: str, key: str, artifact_id: str) -> None:
    """Takes the access back. Taking back what was not granted is harmless."""
    _change_policy(s3, bucket, artifact_id, [])
    for page in kms.get_paginator("list_grants").paginate(KeyId=key):
        for item in page["Grants"]:
            if item.get("Name") == _grant_name(artifact_id):
                kms.revoke_grant(KeyId=key, GrantId=item["GrantId"])


def _grant_name(artifact_id: str) -> str:
    return f"mwaa-migrator-{artifact_id}"


def _change_policy(s3: S3Client, bucket: str, artifact_id: str, wanted: list[Statement]) -> None:
    """Makes `wanted` this migration's statements in the bucket policy; all others stay as they are."""
    for _ in range(_ATTEMPTS):
        if _try_to_change_policy(s3, bucket, statement_ids(artifact_id), wanted):
            return
        time.sleep(random.uniform(0, _PAUSE))
    raise TransientError(f"The policy of {bucket} was changed by other migrations {_ATTEMPTS} times.")


def _try_to_change_policy(s3: S3Client, bucket: str, ours: tuple[str, str], wanted: list[Statement]) -> bool:
    """Returns False if another migration, or S3 itself, got in between."""
    policy = _policy(s3, bucket)
    kept = json_object.read(s3, bucket, layout.STATEMENTS)
    before: list[Statement] = [] if kept is None else kept.content
    gone = {*ours, *(item["Sid"] for item in policy["Statement"] if _is_dead(item))}
    after = [item for item in before if item["Sid"] not in gone] + wanted
    if after != before:
        is_kept, kept = _keep(s3, bucket, after, kept)
        if not is_kept:
            return False
    made = [item for item in policy["Statement"] if not _is_a_migrations(item)] + after
    # What S3 shows may be old: after a change the policy is put whatever it looks like.
    is_old = after != before or not _same(policy["Statement"], made)
    if is_old and not _put_policy(s3, bucket, {**policy, "Statement": made}, ours):
        return False
    # Who has changed the statements meanwhile may have put its policy before ours.
    return json_object.read(s3, bucket, layout.STATEMENTS) == kept


def _put_policy(s3: S3Client, bucket: str, policy: dict[str, Any], ours: tuple[str, str]) -> bool:
    """Returns False if S3 was changing the policy just then. Raises RoleNotFound, and forgets our statements, if S3
    refuses it: they would be in the policy of every other migration, too.
    """
    try:
        if policy["Statement"]:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        else:
            s3.delete_bucket_policy(Bucket=bucket)
    except ClientError as error:
        if code_of(error) in ("OperationAborted", "ConflictException"):
            return False
        if code_of(error) != "MalformedPolicy":
            raise
        _forget(s3, bucket, ours)
        raise RoleNotFound(
            f"S3 does not accept the execution roles in the policy of {bucket}. Does each still exist?"
        ) from error
    return True


def _keep(s3: S3Client, bucket: str, statements: list[Statement], over: Tagged | None) -> tuple[bool, Tagged | None]:
    """Keeps the statements in place of those that were read; no object where there are none.

    Returns whether it did, which it does not if they have changed meanwhile, and what is there then.
    """
    if statements:
        written = json_object.write(s3, bucket, layout.STATEMENTS, statements, over=over)
        return written is not None, written
    return over is None or json_object.delete(s3, bucket, layout.STATEMENTS, over), None


def _forget(s3: S3Client, bucket: str, ours: tuple[str, str]) -> None:
    while (kept := json_object.read(s3, bucket, layout.STATEMENTS)) is not None:
        others = [item for item in kept.content if item["Sid"] not in ours]
        if _keep(s3, bucket, others, kept)[0]:
            return


def _is_dead(statement: Statement) -> bool:
    """Whether it was left by another migration, for a role that has been deleted since.

    S3 shows such a role by its id, and accepts no policy that has one.
    """
    named = statement.get("Principal")
    roles = named.get("AWS", []) if isinstance(named, dict) else []
    is_id = any(not role.startswith("arn:") for role in ([roles] if isinstance(roles, str) else roles))
    return _is_a_migrations(statement) and is_id


def _is_a_migrations(statement: Statement) -> bool:
    return str(statement.get("Sid", "")).startswith(_SIDS)


def _policy(s3: S3Client, bucket: str) -> dict[str, Any]:
    try:
        policy: dict[str, Any] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if code_of(error) == "NoSuchBucketPolicy":
            return {"Version": "2012-10-17", "Statement": []}
        raise
    return policy


def _same(left: list[Statement], right: list[Statement]) -> bool:
    """S3 may give a list of one back as its only item."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value[0] if isinstance(value, list) and len(value) == 1 else value

    def ordered(items: list[Statement]) -> list[str]:
        return sorted(json.dumps(plain(item), sort_keys=True) for item in items)

    return ordered(left) == ordered(right)
