"""Which IAM actions a call needs, and on which resources.

An action has its service's prefix and, as a rule, the operation's name; the exceptions are in the tables here and in
s3_permissions, from the Service Authorization Reference.
"""

from __future__ import annotations

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
    passed = _passed_role(request)
    if passed is not None:
        role, to_service = passed
        needed.append(Requirement("iam:PassRole", (role,), {**context, "iam:passedtoservice": to_service}))
    return needed


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
