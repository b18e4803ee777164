"""What the operations of S3 need: actions with names of their own, and the keys of encrypted objects.

From the Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.s3.models import s3_backends

from local.aws.arns import partition, s3_arn, url_suffix
from local.aws.iam import key_permissions, propagation
from local.aws.iam.policy_evaluation import Requirement
from local.aws.request import AwsRequest

#: S3's API is older than IAM, so many of its operations need an action of another name.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "HeadObject": ("GetObject",),
    "GetObjectAttributes": ("GetObject", "GetObjectAttributes"),
    "SelectObjectContent": ("GetObject",),
    "ListObjects": ("ListBucket",),
    "ListObjectsV2": ("ListBucket",),
    "HeadBucket": ("ListBucket",),
    "ListObjectVersions": ("ListBucketVersions",),
    "ListBuckets": ("ListAllMyBuckets",),
    "ListMultipartUploads": ("ListBucketMultipartUploads",),
    "ListParts": ("ListMultipartUploadParts",),
    "CreateMultipartUpload": ("PutObject",),
    "UploadPart": ("PutObject",),
    "UploadPartCopy": ("PutObject",),
    "CompleteMultipartUpload": ("PutObject",),
    "CopyObject": ("PutObject",),
    "DeleteObjects": ("DeleteObject",),
    "GetBucketEncryption": ("GetEncryptionConfiguration",),
    "PutBucketEncryption": ("PutEncryptionConfiguration",),
    "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
    "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
    "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
    "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
    "GetBucketNotificationConfiguration": ("GetBucketNotification",),
    "PutBucketNotificationConfiguration": ("PutBucketNotification",),
    "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
    "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "GetBucketReplication": ("GetReplicationConfiguration",),
    "PutBucketReplication": ("PutReplicationConfiguration",),
}

#: Actions with a name of their own for one version of an object.
_VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "GetObjectAttributes", "PutObjectTagging"}

_READS = {"GetObject", "HeadObject", "CopyObject", "UploadPartCopy", "SelectObjectContent"}
_WRITES = {"PutObject", "CreateMultipartUpload", "CopyObject"}


def requirements(request: AwsRequest, account: str) -> list[Requirement]:
    """All that the caller needs for a call of S3; it calls KMS in the caller's name."""
    operation, parameters = request.operation.name, request.parameters
    bucket, key = parameters.get("Bucket"), parameters.get("Key")
    context = {"aws:requestedregion": request.region}
    if "Prefix" in parameters:
        context["s3:prefix"] = str(parameters["Prefix"])
    for header, condition in (
        ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ):
        if header in request.headers:
            context[condition] = request.headers[header]
    if bucket is None:
        return [Requirement(f"s3:{action}", ("*",), context) for action in _ACTIONS.get(operation, (operation,))]
    if operation == "DeleteObjects":
        arns = [s3_arn(request.region, f"{bucket}/{each}") for each in dict.fromkeys(parameters.get("Keys", []))]
    else:
        arns = [s3_arn(request.region, bucket if key is None else f"{bucket}/{key}")]
    policy = bucket_policy(request.region, account, bucket)
    needed = [
        Requirement(f"s3:{_versioned(action, parameters)}", (arn,), context, policy)
        for action in _ACTIONS.get(operation, (operation,))
        for arn in arns
    ]
    if "CopySource" in parameters:
        needed.append(_copy_source(str(parameters["CopySource"]), request.region, account, context))
    return [*needed, *_of_encryption(request, account)]


def _versioned(action: str, parameters: Mapping[str, Any]) -> str:
    if "VersionId" not in parameters or action not in _VERSIONED:
        return action
    return action.replace("Object", "ObjectVersion", 1)


def _copy_source(source: str, region: str, account: str, context: Mapping[str, str]) -> Requirement:
    path, _, version = source.partition("?versionId=")
    bucket = path.split("/", 1)[0]
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    return Requirement(action, (s3_arn(region, path),), context, bucket_policy(region, account, bucket))


def bucket_policy(region: str, account: str, bucket: str) -> Mapping[str, Any] | None:
    """The policy document of a bucket; None where there is no bucket or no policy."""
    found = s3_backends[account][partition(region)].buckets.get(bucket)
    policy = propagation.policy_that_counts(found) if found is not None else None
    if not policy:
        return None
    document: Mapping[str, Any] = json.loads(policy)
    return document


def _of_encryption(request: AwsRequest, account: str) -> list[Requirement]:
    """What reading or writing an encrypted object needs of its key."""
    needed = []
    operation, parameters = request.operation.name, request.parameters
    context = {
        "aws:requestedregion": request.region,
        "kms:viaservice": f"s3.{request.region}.{url_suffix(request.region)}",
        "kms:calleraccount": account,
    }
    if operation in _READS:
        path = str(parameters.get("CopySource", f"{parameters.get('Bucket')}/{parameters.get('Key')}"))
        key = _key_of_object(request.region, account, path.partition("?versionId=")[0])
        if key is not None:
            needed.append(key_permissions.requirement("kms:Decrypt", key, request, account, context))
    if operation in _WRITES:
        key = _key_of_write(account, request)
        if key is not None:
            needed.append(key_permissions.requirement("kms:GenerateDataKey", key, request, account, context))
    return needed


def _key_of_object(region: str, account: str, path: str) -> str | None:
    bucket, _, name = path.partition("/")
    found = s3_backends[account][partition(region)].buckets.get(bucket)
    stored = found.keys.get(name) if found is not None else None
    if stored is None or getattr(stored, "encryption", None) != "aws:kms":
        return None
    key = getattr(stored, "kms_key_id", None)
    return key if key else None


def _key_of_write(account: str, request: AwsRequest) -> str | None:
    asked = request.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    if asked is not None:
        return asked
    found = s3_backends[account][partition(request.region)].buckets.get(request.parameters.get("Bucket", ""))
    rule = (found.encryption or {}).get("Rule", {}) if found is not None else {}
    rule = rule[0] if isinstance(rule, list) and rule else rule
    default = rule.get("ApplyServerSideEncryptionByDefault", {}) if isinstance(rule, dict) else {}
    return default.get("KMSMasterKeyID") or None
