"""What the environments' execution roles may do in the exchange bucket while a migration lasts.

The reasons are in docs/decisions.md, "No execution role is edited".

The bucket's side is one policy statement per migration, the key's side a KMS grant per role. Both name the roles by
ARN and suffice within an account, so nobody edits a role. Grants are objects of their own; the bucket policy is one
document, so a change is read back, and made again when another migration's change got in between.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of
from migration.errors import RoleNotFound, TransientError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

Statement = dict[str, Any]

_SIDS = ("MigrationObjects", "MigrationList")
_ATTEMPTS = 5
_PAUSE = 1.0


def statement_ids(artifact_id: str) -> tuple[str, str]:
    """Sids of a migration's statements: letters and digits only, as the policy language wants."""
    fingerprint = hashlib.sha256(artifact_id.encode()).hexdigest()[:16]
    objects, listing = _SIDS
    return objects + fingerprint, listing + fingerprint


def statements(partition: str, bucket: str, prefix: str, artifact_id: str, roles: list[str]) -> list[Statement]:
    """What `roles` may do under `prefix` (no slash at its end) of the bucket, and nowhere else.

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
            "Resource": f"arn:{partition}:s3:::{bucket}/{prefix}/*",
        },
        {
            "Sid": listing,
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:ListBucket",
            "Resource": f"arn:{partition}:s3:::{bucket}",
            "Condition": {"StringLikeIfExists": {"s3:prefix": f"{prefix}/*"}},
        },
    ]


def grant(s3: S3Client, kms: KMSClient, bucket: str, key: str, prefix: str, artifact_id: str, roles: list[str]) -> None:
    """Grants the roles access to the artifact. Granting twice is harmless.

    `key` is the ARN of the key that encrypts the bucket.

    Raises:
        RoleNotFound: one of the roles does not exist.
    """
    # The bucket is encrypted with the key, so both are in one partition.
    partition = key.split(":")[1]
    _change_policy(s3, bucket, artifact_id, statements(partition, bucket, prefix, artifact_id, roles))
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
    ours = statement_ids(artifact_id)
    for attempt in range(_ATTEMPTS):
        policy = _policy(s3, bucket)
        if _same([item for item in policy["Statement"] if item.get("Sid") in ours], wanted):
            return
        changed = [item for item in policy["Statement"] if item.get("Sid") not in ours and not _is_dead(item)] + wanted
        try:
            if changed:
                s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**policy, "Statement": changed}))
            else:
                s3.delete_bucket_policy(Bucket=bucket)
        except ClientError as error:
            if code_of(error) == "MalformedPolicy":
                raise RoleNotFound(
                    f"S3 does not accept the execution roles in the policy of {bucket}. Does each still exist?"
                ) from error
            if code_of(error) not in ("OperationAborted", "ConflictException"):
                raise
        time.sleep(_PAUSE * attempt)
    # Each look comes before a change, so reaching this means that every change was overwritten.
    raise TransientError(f"The policy of {bucket} was changed by somebody else {_ATTEMPTS} times.")


def _is_dead(statement: Statement) -> bool:
    """Whether it was left by another migration, for a role that has been deleted since.

    S3 shows such a role by its id, and accepts no policy that has one.
    """
    named = statement.get("Principal")
    roles = named.get("AWS", []) if isinstance(named, dict) else []
    ours = str(statement.get("Sid", "")).startswith(_SIDS)
    return ours and any(not role.startswith("arn:") for role in ([roles] if isinstance(roles, str) else roles))


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
