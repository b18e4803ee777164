"""Which IAM actions a call needs, and on which resources.

An action has its service's prefix and, as a rule, the operation's name; the exceptions are in the tables here and in
s3_permissions, from the Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from local.aws.arns import arn
from local.aws.iam import key_permissions, s3_permissions
from local.aws.iam.policy_evaluation import Requirement
from local.aws.iam.resource_arns import resources_of
from local.aws.request import AwsRequest

_ACTION_PREFIX = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}

_OTHER_ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeAsync"): "lambda:InvokeFunction",
    ("sns", "PublishBatch"): "sns:Publish",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
}

#: Everybody may ask who they are.
_NEEDS_NOTHING = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}


def requirements(request: AwsRequest, account: str) -> list[Requirement]:
    """All that the caller needs for a call."""
    if (request.service, request.operation.name) in _NEEDS_NOTHING:
        return []
    if request.service == "s3":
        return s3_permissions.requirements(request, account)
    name = request.operation.name
    prefix = _ACTION_PREFIX.get(request.signing_name, request.signing_name)
    action = _OTHER_ACTIONS.get((request.service, name), f"{prefix}:{name}")
    resources = resources_of(request, account)
    context = {"aws:requestedregion": request.region}
    if request.service == "kms":
        return [key_permissions.requirement(action, request.parameters.get("KeyId", "*"), request, account, context)]
    needed = [Requirement(action, resources, context)]
    if request.service == "cloudwatch" and "Namespace" in request.parameters:
        context["cloudwatch:namespace"] = str(request.parameters["Namespace"])
    if request.service == "mwaa" and name == "CreateEnvironment":
        needed += _of_environment(request, account, context)
    passed = _passed_role(request)
    if passed is not None:
        role, to_service = passed
        needed.append(Requirement("iam:PassRole", (role,), {**context, "iam:passedtoservice": to_service}))
    return needed


#: What Amazon MWAA does with an environment's key in the caller's name (user guide, access policies).
_WITH_KEY = ("DescribeKey", "ListGrants", "CreateGrant", "RevokeGrant", "Decrypt", "Encrypt", "GenerateDataKey")


def _of_environment(request: AwsRequest, account: str, context: Mapping[str, str]) -> Iterator[Requirement]:
    """What Amazon MWAA does and looks at on behalf of whoever creates an environment (user guide, access policies).

    The service-linked role is there already.
    """
    parameters = request.parameters
    name = parameters.get("Name")
    if parameters.get("Tags"):
        environment = arn("airflow", request.region, account, f"environment/{name}")
        yield Requirement("airflow:TagResource", (environment,), context)
    yield Requirement("s3:GetEncryptionConfiguration", (str(parameters.get("SourceBucketArn")),), context)
    for what in ("RouteTables", "SecurityGroups", "Subnets", "Vpcs"):
        yield Requirement(f"ec2:Describe{what}", ("*",), context)

    def made(kind: str) -> tuple[str]:
        return (arn("ec2", request.region, account, f"{kind}/{name}"),)

    for kind in ("vpc-endpoint", "vpc", "subnet", "security-group"):
        yield Requirement("ec2:CreateVpcEndpoint", made(kind), context)
    for kind in ("network-interface", "subnet"):
        yield Requirement("ec2:CreateNetworkInterface", made(kind), context)
    key = parameters.get("KmsKey")
    for action in _WITH_KEY if key else ():
        yield key_permissions.requirement(f"kms:{action}", str(key), request, account, context)


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
