"""Deploys a SAM template whose packages are built into the local AWS.

The template is expanded by AWS's own translator and created as a CloudFormation stack in moto, so what runs is what the
template says. moto's CloudFormation cannot make EventBridge schedules, alarms and bucket policies; those are made with
their services' own APIs, from properties that CloudFormation has resolved.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from local.aws import sam_template
from local.aws.arns import iam_arn, partition, url_suffix
from local.aws.functions.function import Function
from local.installations import lambda_layers, lambda_packages

#: AWS managed policies that SAM gives functions by name, as the last parts of their ARNs.
_MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole": "service-role/AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole": "service-role/AWSLambdaVPCAccessExecutionRole",
    "AWSXRayDaemonWriteAccess": "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess": "AWSXrayWriteOnlyAccess",
}

_LOG_GROUP = ("LoggingConfig", "LogGroup")
_MANAGED_POLICY_ARNS = ("ManagedPolicyArns",)
_WANTED = ("IsWanted",)

#: The bucket that stands for the one to which `sam deploy` uploads packages.
_ARTIFACTS = "local-sam-artifacts"


class DeploymentFailed(Exception):
    """The template cannot be expanded, or its stack could not be created."""


@dataclass(frozen=True)
class Deployment:
    """What a stack consists of, by the template's own logical ids (`MigrateStateMachine`)."""

    stack_name: str
    region: str
    functions: dict[str, Function]
    state_machines: dict[str, str]
    resources: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True)
class _Expanded:
    """A template as moto gets it.

    Attributes:
        values: of its parameters.
        own_outputs: the names of the outputs that it has of its own; the others are for us.
        packages, layer_folders: by the logical ids of functions and layers.
        by_own_api: resources by type and logical id that are no longer in it, because moto cannot make them.
    """

    template: dict[str, Any]
    values: dict[str, Any]
    own_outputs: frozenset[str]
    packages: dict[str, Path]
    layer_folders: dict[str, Path]
    by_own_api: dict[str, dict[str, Any]]


def deploy(
    client: Callable[[str], Any],
    template: Path,
    region: str,
    stack_name: str,
    parameters: Mapping[str, str] | None = None,
) -> Deployment:
    """Creates the stack of a built template.

    Args:
        client: gives a boto3 client of the account's administrator for a service.
        template: one whose functions and layers are built: their folders or zip files lie where it says.
        parameters: values for the template's parameters; the others have their defaults.

    Raises:
        DeploymentFailed: the template or one of its resources is refused.
    """
    expanded = _expand_for_moto(template, region, parameters or {})
    outputs = _create_stack(client, expanded, region, stack_name)
    _create_by_own_api(client, expanded.by_own_api, outputs)
    answered = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    found = [r for r in answered if "LogicalResourceId" in r]  # what moto did not make has none
    resources = {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in found}
    types = {r["LogicalResourceId"]: r["ResourceType"] for r in found}
    _attach_managed_policies(client("iam"), resources, outputs)
    functions = {
        logical_id: _function(client("lambda"), logical_id, resources[logical_id], expanded, outputs)
        for logical_id, resource_type in types.items()
        if resource_type == "AWS::Lambda::Function" and logical_id in expanded.packages
    }
    machines = {
        logical_id: resources[logical_id]
        for logical_id, resource_type in types.items()
        if resource_type == "AWS::StepFunctions::StateMachine"
    }
    own_outputs = {name: value for name, value in outputs.items() if name in expanded.own_outputs}
    return Deployment(stack_name, region, functions, machines, resources, own_outputs)


def _expand_for_moto(template: Path, region: str, parameters: Mapping[str, str]) -> _Expanded:
    written = sam_template.read(template)
    packages = _take_packages(written, template.parent)
    layer_folders = _take_layers(written, template.parent)
    sam_template.inline_definitions(written, template.parent)
    own_outputs = frozenset(written.get("Outputs", {}))
    values = {
        **{name: p["Default"] for name, p in written.get("Parameters", {}).items() if "Default" in p},
        **parameters,
    }
    expanded = _expand(written, {**values, "AWS::Region": region, "AWS::AccountId": "123456789012"})
    # moto has the values of the partition `aws` everywhere.
    expanded = sam_template.substitute(
        expanded, {"AWS::Partition": partition(region), "AWS::URLSuffix": url_suffix(region)}
    )
    by_own_api = {resource_type: sam_template.take(expanded, resource_type) for resource_type in _BY_OWN_API}
    sam_template.inline_substitutions(expanded)
    _add_outputs(expanded, by_own_api)
    return _Expanded(expanded, values, own_outputs, packages, layer_folders, by_own_api)


def _add_outputs(expanded: dict[str, Any], by_own_api: Mapping[str, Mapping[str, Any]]) -> None:
    """Adds outputs in which moto resolves values for us, those included that it does not keep as properties."""
    outputs = expanded.setdefault("Outputs", {})
    for logical_id, resource in expanded["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function" and "LogGroup" in properties.get("LoggingConfig", {}):
            outputs[_output_name(logical_id, _LOG_GROUP)] = {"Value": properties["LoggingConfig"]["LogGroup"]}
        if resource["Type"] == "AWS::IAM::Role":
            for index, arn in enumerate(properties.get("ManagedPolicyArns", [])):
                outputs[_output_name(logical_id, (*_MANAGED_POLICY_ARNS, str(index)))] = {"Value": arn}
    for logical_id, resource in (item for taken in by_own_api.values() for item in taken.items()):
        # A resource under a condition has its outputs under the same condition.
        under = {key: value for key, value in resource.items() if key == "Condition"}
        for path, value in sam_template.intrinsics(resource["Properties"]):
            outputs[_output_name(logical_id, path)] = {"Value": value, **under}
        outputs[_output_name(logical_id, _WANTED)] = {"Value": logical_id, **under}


def _create_stack(client: Callable[[str], Any], expanded: _Expanded, region: str, stack_name: str) -> dict[str, str]:
    """Returns the stack's outputs."""
    s3 = client("s3")
    s3.create_bucket(Bucket=_ARTIFACTS, **_location(region))
    s3.put_object(Bucket=_ARTIFACTS, Key="package.zip", Body=_placeholder_package())
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateBody=json.dumps(expanded.template),
        # With the defaults: moto would take a list's for the one string that it is written as.
        Parameters=[{"ParameterKey": name, "ParameterValue": str(value)} for name, value in expanded.values.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeploymentFailed(f"the stack {stack_name} is {stack['StackStatus']}: {stack.get('StackStatusReason')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _create_by_own_api(
    client: Callable[[str], Any], by_own_api: Mapping[str, Mapping[str, Any]], outputs: Mapping[str, str]
) -> None:
    for resource_type, taken in by_own_api.items():
        for logical_id, resource in taken.items():
            if _output_name(logical_id, _WANTED) in outputs:
                properties = _resolved(resource["Properties"], logical_id, outputs)
                _BY_OWN_API[resource_type](client, logical_id, properties)


def _attach_managed_policies(iam: Any, resources: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Attaches the policies of the roles, which moto's CloudFormation leaves out."""
    for logical_id, name in resources.items():
        prefix = _output_name(logical_id, _MANAGED_POLICY_ARNS)
        for output, arn in outputs.items():
            if output.removeprefix(prefix).isdigit():
                iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _take_packages(document: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Returns the functions' package folders, and puts an S3 object in the place of each in the template."""
    packages = {}
    of_all = document.get("Globals", {}).get("Function", {}).get("CodeUri")
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            packages[logical_id] = _unpack(folder / str(properties.get("CodeUri", of_all or logical_id)))
            properties["CodeUri"] = {"Bucket": _ARTIFACTS, "Key": "package.zip"}
    return packages


def _take_layers(document: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Installs the layers for this machine, and puts an S3 object in the place of each in the template."""
    found = {}
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties = resource["Properties"]
            built = _unpack(folder / str(properties.get("ContentUri", logical_id)))
            found[logical_id] = lambda_layers.install(built)
            properties["ContentUri"] = {"Bucket": _ARTIFACTS, "Key": "package.zip"}
    return found


def _unpack(package: Path) -> Path:
    if not package.exists():
        raise DeploymentFailed(f"the template names {package}, which is not there; build it first")
    return lambda_packages.unpack(package)


def _layers_of(properties: Mapping[str, Any], layer_folders: Mapping[str, Path]) -> tuple[Path, ...]:
    """The folders of a function's layers, which must be the template's own, because the code of others is not here."""
    references = [
        str(layer.get("Ref")) if isinstance(layer, dict) else str(layer) for layer in properties.get("Layers", [])
    ]
    # The translator appends a hash of ten digits to a layer's logical id.
    unknown = [reference for reference in references if reference[:-10] not in layer_folders]
    if unknown:
        raise DeploymentFailed(f"the layers {', '.join(unknown)} are not in the template, so their code is not here")
    return tuple(layer_folders[reference[:-10]] for reference in references)


def _expand(document: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    region = str(values["AWS::Region"])
    policies = {name: iam_arn(region, "aws", f"policy/{path}") for name, path in _MANAGED_POLICIES.items()}
    translator = Translator(policies, Parser(), boto_session=boto3.Session(region_name=region))
    try:
        expanded: dict[str, Any] = translator.translate(document, dict(values))
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise DeploymentFailed(f"the template cannot be expanded: {causes}") from error
    return expanded


def _output_name(logical_id: str, path: tuple[str, ...]) -> str:
    return f"Local{logical_id}{''.join(part[:1].upper() + part[1:] for part in path)}"


def _create_schedule(client: Callable[[str], Any], logical_id: str, properties: dict[str, Any]) -> None:
    client("scheduler").create_schedule(**{"Name": logical_id, **properties})


def _put_bucket_policy(client: Callable[[str], Any], logical_id: str, properties: dict[str, Any]) -> None:
    client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"]))


def _put_alarm(client: Callable[[str], Any], logical_id: str, properties: dict[str, Any]) -> None:
    client("cloudwatch").put_metric_alarm(**{"AlarmName": logical_id, **properties})


#: What moto's CloudFormation cannot make, and how it is made instead.
_BY_OWN_API: dict[str, Callable[[Callable[[str], Any], str, dict[str, Any]], None]] = {
    "AWS::Scheduler::Schedule": _create_schedule,
    "AWS::S3::BucketPolicy": _put_bucket_policy,
    "AWS::CloudWatch::Alarm": _put_alarm,
}


def _resolved(value: Any, logical_id: str, outputs: Mapping[str, str], path: tuple[str, ...] = ()) -> Any:
    if _output_name(logical_id, path) in outputs and path:
        return outputs[_output_name(logical_id, path)]
    if isinstance(value, dict):
        return {key: _resolved(inner, logical_id, outputs, (*path, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, logical_id, outputs, (*path, str(i))) for i, inner in enumerate(value)]
    return value


def _function(client: Any, logical_id: str, name: str, expanded: _Expanded, outputs: Mapping[str, str]) -> Function:
    """A function as moto has it; its layers, which moto's CloudFormation leaves out, are given."""
    properties = expanded.template["Resources"][logical_id]["Properties"]
    deployed = client.get_function_configuration(FunctionName=name)
    return Function(
        name=deployed["FunctionName"],
        arn=deployed["FunctionArn"].split(":$LATEST")[0],
        handler=deployed["Handler"],
        runtime=deployed["Runtime"],
        package=expanded.packages[logical_id],
        layers=_layers_of(properties, expanded.layer_folders),
        role_arn=deployed["Role"],
        timeout=int(deployed["Timeout"]),
        memory=int(deployed["MemorySize"]),
        variables={k: str(v) for k, v in deployed.get("Environment", {}).get("Variables", {}).items()},
        log_group=outputs.get(_output_name(logical_id, _LOG_GROUP)) or f"/aws/lambda/{deployed['FunctionName']}",
        reserved_concurrency=properties.get("ReservedConcurrentExecutions"),
        in_vpc=bool(deployed.get("VpcConfig", {}).get("SubnetIds")),
    )


def _placeholder_package() -> bytes:
    """moto keeps the functions' configuration only, so what it gets as their code does not matter."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("README", "The code runs from its own folder.")
    return content.getvalue()


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
