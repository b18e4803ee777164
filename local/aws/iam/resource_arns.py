"""The ARNs of what a call is about, as policies name it.

Where a service or an operation is not known here, it is `*`, as for operations that have no resource.
"""

from __future__ import annotations

from collections.abc import Callable

from local.aws.arns import arn, iam_arn
from local.aws.request import AwsRequest


def resources_of(request: AwsRequest, account: str) -> tuple[str, ...]:
    """The ARNs of a call's resource: more than one where policies write one resource in several ways."""
    return _RESOURCES.get(request.service, _no_resource)(request, account)


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
        return (_arn(request, account, f"log-group:{prefix}:log-stream:"),)
    group = str(group).removesuffix(":*")
    named = group if group.startswith("arn:") else _arn(request, account, f"log-group:{group}")
    stream = parameters.get("logStreamName")
    if stream is not None:
        return (f"{named}:log-stream:{stream}",)
    # So a policy that names a group without `:*` at its end allows nothing in it (CloudWatch Logs, user guide).
    return (f"{named}:log-stream:",)


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
