"""Checks of the functions' rights by IAM's simulator, which knows boundaries and service control policies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient

    from .stack_resources import StackResources

RIGHTS = Check(
    "rights",
    "May each function do with this environment what the template says?",
    "each action is allowed",
    "A migration fails in the state of that function, and is rolled back. Look at the permissions boundary, at the "
    "organization's service control policies, and at the stack's parameters DagBucketArns, ExecutionRoleArns, "
    "LogGroupArns and EnvironmentKeyArns: they must include this environment's.",
    stops=True,
)
CHECKS = (RIGHTS,)

# Only an environment with a key of its owner's needs these rights.
_KEYS = "${EnvironmentKeyArns}"
_REFERENCE = re.compile(r"\$\{([\w:.]+)\}")
# No name of the template's: the region of the environment, for which a pattern leaves the region open.
_REGION = "Region"
# Stands for whatever a pattern leaves open.
_ANY = "mwaa-migrator-doctor"


def findings(
    iam: IAMClient, kms: KMSClient, functions: LambdaClient, resources: StackResources, settings: Mapping[str, Any]
) -> Iterator[Finding]:
    """Asks for all functions and one environment, given as GetEnvironment has it."""
    yield from asking(RIGHTS, settings["Name"], lambda: _rights(iam, kms, functions, resources, settings))


def _rights(
    iam: IAMClient, kms: KMSClient, functions: LambdaClient, resources: StackResources, settings: Mapping[str, Any]
) -> Finding:
    values = {**resources.references(), **_of_environment(settings), **_key(kms, settings.get("KmsKey"))}
    wanted = json.loads(files(__package__).joinpath("function_rights.json").read_text(encoding="utf-8"))
    missing = []
    for name, statements in wanted.items():
        role = functions.get_function_configuration(FunctionName=resources.physical_id(name))["Role"]
        for statement in statements:
            if _KEYS not in statement["resources"] or _KEYS[2:-1] in values:
                missing += [f"{name} {denied}" for denied in _denied(iam, role, statement, values)]
    found = "; ".join(missing) or f"all that {len(wanted)} functions need"
    return as_expected(RIGHTS, settings["Name"], not missing, found)


def _denied(iam: IAMClient, role: str, statement: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    context: Any = [
        {"ContextKeyName": key, "ContextKeyValues": [_concrete(value, values)], "ContextKeyType": "string"}
        for key, value in statement["context"].items()
    ]
    # Resources of one statement need not be all of each action's.
    for resource in statement["resources"]:
        concrete = _concrete(resource, values)
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=statement["actions"], ResourceArns=[concrete], ContextEntries=context
        )
        results = answer["EvaluationResults"]
        denied = [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
        if denied:
            yield f"may not {', '.join(denied)} on {concrete}"


def _of_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """What the template's parameters and patterns must include: this environment's own."""
    partition = settings["SourceBucketArn"].split(":")[1]
    group = settings.get("LoggingConfiguration", {}).get("TaskLogs", {}).get("CloudWatchLogGroupArn", "")
    return {
        _REGION: settings["Arn"].split(":")[3],
        "DagBucketArns": settings["SourceBucketArn"],
        "ExecutionRoleArns": settings["ExecutionRoleArn"],
        "LogGroupArns": group or f"arn:{partition}:logs:*:*:log-group:airflow-{settings['Name']}-Task",
    }


def _key(kms: KMSClient, key: str | None) -> dict[str, str]:
    """The environment's own key, which EnvironmentKeyArns must include; nothing for one that kms-key refuses."""
    if not key:
        return {}
    try:
        found = kms.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        return {}
    return {} if found.get("KeyManager") == "AWS" else {_KEYS[2:-1]: found["Arn"]}


def _concrete(pattern: str, values: Mapping[str, str]) -> str:
    """A resource, or a condition's value, that matches a pattern of the template."""
    if pattern == "*":
        return pattern
    filled = _REFERENCE.sub(lambda found: values[found[1]], pattern)
    if not filled.startswith("arn:"):
        # An endpoint's host name has the region as one of its parts.
        return filled.replace("*", values[_REGION] if filled.count(".") > 1 else _ANY)
    head, partition, service, region, account, rest = filled.split(":", 5)
    region = region.replace("*", values[_REGION])
    account = account.replace("*", values["AWS::AccountId"])
    return ":".join((head, partition, service, region, account, rest.replace("*", _ANY)))
