"""Which IAM actions a call needs, on which resources.

An action has its service's prefix and, as a rule, the operation's name; the exceptions are in the tables here, from
the Service Authorization Reference. Where the resource of an operation is not known, it is `*`, as for operations that
have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from local.aws.arns import arn, iam_arn, partition, s3_arn, url_suffix
from local.aws.permissions import Requirement
from local.aws.request import AwsRequest

_ACTION_PREFIX = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}

#: S3's API is older than IAM, so many of its operations need an action of another name.
_S3_ACTIONS: dict[str, tuple[str, ...]] = {
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
_S3_VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "GetObjectAttributes", "PutObjectTagging"}

_OTHER_ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeAsync"): "lambda:InvokeFunction",
    ("sns", "PublishBatch"): "sns:Publish",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
}

#: Who may say who they are is never denied.
_NEEDS_NOTHING = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}

_S3_READS = {"GetObject", "HeadObject", "CopyObject", "UploadPartCopy", "SelectObjectContent"}
_S3_WRITES = {"PutObject", "CreateMultipartUpload", "CopyObject"}


def requirements(request: AwsRequest, account: str) -> list[Requirement]:
    """What the caller needs for this call; all of it."""
    if (request.service, request.operation.name) in _NEEDS_NOTHING:
        return []
    if request.service == "s3":
        return _of_s3(request, account)
    name = request.operation.name
    prefix = _ACTION_PREFIX.get(request.signing_name, request.signing_name)
    action = _OTHER_ACTIONS.get((request.service, name), f"{prefix}:{name}")
    resources = _RESOURCES.get(request.service, _no_resource)(request, account)
    context = _context(request)
    if request.service == "kms":
        return [_of_key(action, request.parameters.get("KeyId", "*"), request, account, context)]
    needed = [Requirement(action, resources, context)]
    if request.service == "cloudwatch" and "Namespace" in request.parameters:
        context["cloudwatch:namespace"] = str(request.parameters["Namespace"])
    passed = _passed_role(request)
    if passed is not None:
        role, to_service = passed
        needed.append(Requirement("iam:PassRole", (role,), {**context, "iam:passedtoservice": to_service}))
    return needed


def _context(request: AwsRequest) -> dict[str, str]:
    return {"aws:requestedregion": request.region}


def _passed_role(request: AwsRequest) -> tuple[str, str] | None:
    """The role that a call hands to a service, and that service; https://docs.aws.amazon.com/mwaa/latest/userguide/access-policies.html."""
    parameters = request.parameters
    if request.service == "mwaa" and request.operation.name in ("CreateEnvironment", "UpdateEnvironment"):
        role = parameters.get("ExecutionRoleArn")
        return (str(role), "airflow.amazonaws.com") if role else None
    if request.service == "stepfunctions" and request.operation.name in ("CreateStateMachine", "UpdateStateMachine"):
        role = parameters.get("roleArn")
        return (str(role), "states.amazonaws.com") if role else None
    if request.service == "scheduler" and request.operation.name in ("CreateSchedule", "UpdateSchedule"):
        role = (parameters.get("Target") or {}).get("RoleArn")
        return (str(role), "scheduler.amazonaws.com") if role else None
    return None


# ---------------------------------------------------------------------------------------------------------------- S3


def _of_s3(request: AwsRequest, account: str) -> list[Requirement]:
    operation, parameters = request.operation.name, request.parameters
    bucket, key = parameters.get("Bucket"), parameters.get("Key")
    context = _context(request)
    if "Prefix" in parameters:
        context["s3:prefix"] = str(parameters["Prefix"])
    for header, condition in (
        ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ):
        if header in request.headers:
            context[condition] = request.headers[header]
    if bucket is None:
        return [Requirement(f"s3:{action}", ("*",), context) for action in _S3_ACTIONS.get(operation, (operation,))]
    if operation == "DeleteObjects":
        arns = [s3_arn(request.region, f"{bucket}/{each}") for each in dict.fromkeys(parameters.get("Keys", []))]
    else:
        arns = [s3_arn(request.region, bucket if key is None else f"{bucket}/{key}")]
    policy = bucket_policy(request.region, account, bucket)
    needed = [
        Requirement(f"s3:{_versioned(action, parameters)}", (arn,), context, policy)
        for action in _S3_ACTIONS.get(operation, (operation,))
        for arn in arns
    ]
    if "CopySource" in parameters:
        needed.append(_copy_source(str(parameters["CopySource"]), request.region, account, context))
    return [*needed, *_of_encryption(request, account)]


def _versioned(action: str, parameters: Mapping[str, Any]) -> str:
    if "VersionId" not in parameters or action not in _S3_VERSIONED:
        return action
    return action.replace("Object", "ObjectVersion", 1)


def _copy_source(source: str, region: str, account: str, context: Mapping[str, str]) -> Requirement:
    path, _, version = source.partition("?versionId=")
    bucket = path.split("/", 1)[0]
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    return Requirement(action, (s3_arn(region, path),), context, bucket_policy(region, account, bucket))


def bucket_policy(region: str, account: str, bucket: str) -> Mapping[str, Any] | None:
    found = s3_backends[account][partition(region)].buckets.get(bucket)
    if found is None or not found.policy:
        return None
    document: Mapping[str, Any] = json.loads(found.policy)
    return document


def _of_encryption(request: AwsRequest, account: str) -> list[Requirement]:
    """What the key of an encrypted object asks for; S3 calls KMS in the caller's name."""
    needed = []
    operation, parameters = request.operation.name, request.parameters
    context = {
        **_context(request),
        "kms:viaservice": f"s3.{request.region}.{url_suffix(request.region)}",
        "kms:calleraccount": account,
    }
    if operation in _S3_READS:
        path = str(parameters.get("CopySource", f"{parameters.get('Bucket')}/{parameters.get('Key')}"))
        key = _key_of_object(request.region, account, path.partition("?versionId=")[0])
        if key is not None:
            needed.append(_of_key("kms:Decrypt", key, request, account, context))
    if operation in _S3_WRITES:
        key = _key_of_write(account, request)
        if key is not None:
            needed.append(_of_key("kms:GenerateDataKey", key, request, account, context))
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


def _of_key(action: str, key_id: str, request: AwsRequest, account: str, context: Mapping[str, str]) -> Requirement:
    backend = kms_backends[account][request.region]
    known = backend.any_id_to_key_id(key_id)
    key = backend.keys.get(known)
    if key is None:
        return Requirement(action, (key_id if key_id.startswith("arn:") else "*",), context)
    operation = action.partition(":")[2]
    granted_to = frozenset(g.grantee_principal for g in key.grants.values() if operation in g.operations)
    # moto keeps the policy as text where KMS's API made the key, and parsed where CloudFormation did.
    policy = key.policy if isinstance(key.policy, Mapping) else json.loads(key.policy)
    return Requirement(action, (key.arn,), context, policy, resource_policy_decides=True, granted_to=granted_to)


# ------------------------------------------------------------------------------------------------------------ others


def _arn(request: AwsRequest, account: str, resource: str) -> str:
    return arn(request.signing_name, request.region, account, resource)


def _no_resource(request: AwsRequest, account: str) -> tuple[str, ...]:
    return ("*",)


def _mwaa(request: AwsRequest, account: str) -> tuple[str, ...]:
    parameters, operation = request.parameters, request.operation.name
    if "ResourceArn" in parameters:
        return (str(parameters["ResourceArn"]),)
    name = parameters.get("Name") or parameters.get("EnvironmentName")
    if name is None:
        return ("*",)
    if operation in ("CreateWebLoginToken", "InvokeRestApi"):
        # These two are granted for an Airflow role in an environment; the caller's role in Airflow here is Admin.
        return (_arn(request, account, f"role/{name}/Admin"),)
    return (_arn(request, account, f"environment/{name}"),)


def _states(request: AwsRequest, account: str) -> tuple[str, ...]:
    for member in ("executionArn", "stateMachineArn", "resourceArn", "activityArn", "mapRunArn"):
        if member in request.parameters:
            return (str(request.parameters[member]),)
    if "name" in request.parameters:
        return (_arn(request, account, f"stateMachine:{request.parameters['name']}"),)
    return ("*",)


def _logs(request: AwsRequest, account: str) -> tuple[str, ...]:
    parameters = request.parameters
    group = parameters.get("logGroupIdentifier") or parameters.get("logGroupName") or parameters.get("resourceArn")
    if group is None:
        prefix = parameters.get("logGroupNamePrefix", "")
        named = _arn(request, account, f"log-group:{prefix}")
        return (named, f"{named}:log-stream:")
    group = str(group).removesuffix(":*")
    named = group if group.startswith("arn:") else _arn(request, account, f"log-group:{group}")
    stream = parameters.get("logStreamName")
    if stream is not None:
        return (f"{named}:log-stream:{stream}",)
    # Policies name a group with and without the `:*` that stands for its streams; IAM takes both.
    return (named, f"{named}:*", f"{named}:log-stream:")


def _sns(request: AwsRequest, account: str) -> tuple[str, ...]:
    for member in ("TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn"):
        if member in request.parameters:
            return (str(request.parameters[member]),)
    return (_arn(request, account, request.parameters["Name"]),) if "Name" in request.parameters else ("*",)


def _sqs(request: AwsRequest, account: str) -> tuple[str, ...]:
    name = request.parameters.get("QueueName") or str(request.parameters.get("QueueUrl", "*")).rsplit("/", 1)[-1]
    return (_arn(request, account, name),)


def _lambda(request: AwsRequest, account: str) -> tuple[str, ...]:
    name = request.parameters.get("FunctionName")
    if name is None:
        return ("*",)
    name = str(name)
    return (name,) if name.startswith("arn:") else (_arn(request, account, f"function:{name}"),)


def _iam(request: AwsRequest, account: str) -> tuple[str, ...]:
    parameters = request.parameters
    if "PolicySourceArn" in parameters:
        return (str(parameters["PolicySourceArn"]),)
    if "PolicyArn" in parameters:
        return (str(parameters["PolicyArn"]),)
    return (iam_arn(request.region, account, f"role/{parameters['RoleName']}"),) if "RoleName" in parameters else ("*",)


def _scheduler(request: AwsRequest, account: str) -> tuple[str, ...]:
    name, group = request.parameters.get("Name"), request.parameters.get("GroupName", "default")
    return (_arn(request, account, f"schedule/{group}/{name}"),) if name else ("*",)


def _sts(request: AwsRequest, account: str) -> tuple[str, ...]:
    return (str(request.parameters.get("RoleArn", "*")),)


def _secrets(request: AwsRequest, account: str) -> tuple[str, ...]:
    secret = str(request.parameters.get("SecretId", "*"))
    return (secret,) if secret.startswith("arn:") else (_arn(request, account, f"secret:{secret}-??????"),)


_RESOURCES: dict[str, Callable[[AwsRequest, str], tuple[str, ...]]] = {
    "mwaa": _mwaa,
    "stepfunctions": _states,
    "logs": _logs,
    "sns": _sns,
    "sqs": _sqs,
    "lambda": _lambda,
    "iam": _iam,
    "scheduler": _scheduler,
    "sts": _sts,
    "secretsmanager": _secrets,
}
