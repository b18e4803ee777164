"""Builds the SAM application and deploys its template into the local AWS.

The template is expanded by AWS's own translator and created as a CloudFormation stack in moto, so what runs is what the
template says. moto's CloudFormation cannot make EventBridge schedules and bucket policies; those are made with their
services' own APIs, from properties that CloudFormation has resolved.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import intrinsics_multi_constructor  # type: ignore[import-untyped]

from local.aws.arns import iam_arn, partition, url_suffix
from local.aws.functions.function import Function
from local.installations import interpreters, lambda_layers
from local.installations.file_lock import exclusively

logger = logging.getLogger(__name__)

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

#: The bucket that stands for the one `sam deploy` uploads packages to.
_ARTIFACTS = "local-sam-artifacts"


class BuildFailed(Exception):
    """`sam build` did not end well; the message has what it printed."""


class DeploymentFailed(Exception):
    """The template cannot be expanded, or its stack could not be created."""


@dataclass(frozen=True)
class Deployment:
    """What a stack consists of, by the logical ids of the template as written (`Plan`, `MigrateStateMachine`)."""

    stack_name: str
    region: str
    functions: dict[str, Function]
    state_machines: dict[str, str]
    resources: dict[str, str]
    outputs: dict[str, str]


def build(template: Path, built: Path) -> Path:
    """Packages the functions with `sam build` where something has changed since; returns the built template.

    Raises:
        BuildFailed: sam failed.
        local.installations.interpreters.InterpreterNotFound: the runtime's Python is not here.
    """
    # Two builds at once into one folder take each other's files away.
    with exclusively(built.parent / f"{built.name}.lock"):
        return _build(template, built)


def _build(template: Path, built: Path) -> Path:
    fingerprint = _fingerprint(template)
    marker = built / ".sources"
    if marker.is_file() and marker.read_text() == fingerprint and (built / "template.yaml").is_file():
        return built / "template.yaml"
    # sam wants the runtime's own Python on PATH.
    python = interpreters.find_or_download(_runtime_version(template))
    path = os.pathsep.join([str(python.parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sam")), "build", "--template", str(template), "--build-dir", str(built)],
        cwd=template.parent,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"`sam build` ended with {done.returncode}:\n{done.stdout}\n{done.stderr}".strip())
    marker.write_text(fingerprint)
    return built / "template.yaml"


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
        template: the one that `sam build` wrote; its functions' folders lie beside it.
        parameters: values for the template's parameters; the others have their defaults.

    Raises:
        DeploymentFailed: the template or one of its resources is refused.
    """
    written = _read(template)
    packages = _take_packages(written, template.parent)
    layer_folders = _take_layers(written, template.parent)
    _inline_definitions(written, template.parent)
    values = {
        **{name: p["Default"] for name, p in written.get("Parameters", {}).items() if "Default" in p},
        **(parameters or {}),
    }
    expanded = _expand(written, {**values, "AWS::Region": region, "AWS::AccountId": "123456789012"})
    # moto has those of the partition `aws` everywhere.
    expanded = _in_partition(expanded, {"AWS::Partition": partition(region), "AWS::URLSuffix": url_suffix(region)})
    by_own_api = {resource_type: _take(expanded, resource_type) for resource_type in _BY_OWN_API}
    _substitute_definitions(expanded)
    # Whatever moto has to resolve for us goes through the stack's outputs, also properties that it does not keep.
    wanted = {}
    for logical_id, resource in expanded["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function" and "LogGroup" in properties.get("LoggingConfig", {}):
            wanted[_output_name(logical_id, _LOG_GROUP)] = properties["LoggingConfig"]["LogGroup"]
        if resource["Type"] == "AWS::IAM::Role":
            for index, arn in enumerate(properties.get("ManagedPolicyArns", [])):
                wanted[_output_name(logical_id, (*_MANAGED_POLICY_ARNS, str(index)))] = arn
    expanded.setdefault("Outputs", {}).update({name: {"Value": value} for name, value in wanted.items()})
    for logical_id, resource in (item for taken in by_own_api.values() for item in taken.items()):
        # What the template makes under a condition is asked for under that condition.
        under = {key: value for key, value in resource.items() if key == "Condition"}
        for path, value in _intrinsics(resource["Properties"]):
            expanded["Outputs"][_output_name(logical_id, path)] = {"Value": value, **under}
        expanded["Outputs"][_output_name(logical_id, _WANTED)] = {"Value": logical_id, **under}

    s3 = client("s3")
    s3.create_bucket(Bucket=_ARTIFACTS, **_location(region))
    s3.put_object(Bucket=_ARTIFACTS, Key="package.zip", Body=_placeholder_package())
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateBody=json.dumps(expanded),
        Parameters=[{"ParameterKey": name, "ParameterValue": str(value)} for name, value in (parameters or {}).items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeploymentFailed(f"the stack {stack_name} is {stack['StackStatus']}: {stack.get('StackStatusReason')}")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    for resource_type, taken in by_own_api.items():
        for logical_id, resource in taken.items():
            if _output_name(logical_id, _WANTED) not in outputs:
                continue
            _BY_OWN_API[resource_type](client, logical_id, _resolved(resource["Properties"], logical_id, outputs))

    answered = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    found = [r for r in answered if "LogicalResourceId" in r]  # what moto did not make has none
    resources = {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in found}
    for logical_id, name in resources.items():
        prefix = _output_name(logical_id, _MANAGED_POLICY_ARNS)
        for output, arn in outputs.items():
            if output.removeprefix(prefix).isdigit():
                client("iam").attach_role_policy(RoleName=name, PolicyArn=arn)
    by_type: dict[str, list[str]] = {}
    for r in found:
        by_type.setdefault(r["ResourceType"], []).append(r["LogicalResourceId"])
    functions = {
        logical_id: _function(
            client("lambda"),
            resources[logical_id],
            packages[logical_id],
            _layers_of(expanded["Resources"][logical_id]["Properties"], layer_folders),
            expanded["Resources"][logical_id]["Properties"].get("ReservedConcurrentExecutions"),
            outputs.get(_output_name(logical_id, _LOG_GROUP)),
        )
        for logical_id in by_type.get("AWS::Lambda::Function", [])
        if logical_id in packages
    }
    machines = {logical_id: resources[logical_id] for logical_id in by_type.get("AWS::StepFunctions::StateMachine", [])}
    own_outputs = {name: value for name, value in outputs.items() if name in written.get("Outputs", {})}
    return Deployment(stack_name, region, functions, machines, resources, own_outputs)


def _fingerprint(template: Path) -> str:
    """A digest of everything that `sam build` reads."""
    digest = hashlib.sha256(template.read_bytes())
    for folder in ("functions", "dags", "layers"):
        for file in sorted((template.parent / folder).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(template.parent)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


class _Loader(yaml.CSafeLoader):
    """libyaml's, which reads a template in a tenth of the time, with CloudFormation's functions."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def _read(file: Path) -> dict[str, Any]:
    """A file of YAML, or of JSON, which is YAML too."""
    document: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    return document


def _runtime_version(template: Path) -> str:
    document = _read(template)
    runtime = document.get("Globals", {}).get("Function", {}).get("Runtime", "python3.13")
    return str(runtime).removeprefix("python")


def _take_packages(document: dict[str, Any], folder: Path) -> dict[str, Path]:
    """The functions' package folders; in the template an S3 object stands for each from now on."""
    packages = {}
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            packages[logical_id] = (folder / str(properties.get("CodeUri", logical_id))).resolve()
            properties["CodeUri"] = {"Bucket": _ARTIFACTS, "Key": "package.zip"}
    return packages


def _take_layers(document: dict[str, Any], folder: Path) -> dict[str, Path]:
    """The layers' folders for this machine; in the template an S3 object stands for each from now on."""
    found = {}
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties = resource["Properties"]
            built = (folder / str(properties.get("ContentUri", logical_id))).resolve()
            found[logical_id] = lambda_layers.install(built)
            properties["ContentUri"] = {"Bucket": _ARTIFACTS, "Key": "package.zip"}
    return found


def _layers_of(properties: Mapping[str, Any], layer_folders: Mapping[str, Path]) -> tuple[Path, ...]:
    """The folders of a function's layers, which must be the template's own: the code of others is not here."""
    references = [
        str(layer.get("Ref")) if isinstance(layer, dict) else str(layer) for layer in properties.get("Layers", [])
    ]
    # The translator puts a hash of ten digits behind a layer's logical id.
    unknown = [reference for reference in references if reference[:-10] not in layer_folders]
    if unknown:
        raise DeploymentFailed(f"the layers {', '.join(unknown)} are not in the template, so their code is not here")
    return tuple(layer_folders[reference[:-10]] for reference in references)


def _inline_definitions(document: dict[str, Any], folder: Path) -> None:
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            properties["Definition"] = _read(folder / properties.pop("DefinitionUri"))


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


def _in_partition(value: Any, names: Mapping[str, str]) -> Any:
    """Puts the values of pseudo parameters in their place, in references and in the texts of Fn::Sub."""
    if isinstance(value, dict):
        if len(value) == 1 and value.get("Ref") in names:
            return names[value["Ref"]]
        return {key: _in_partition(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_partition(inner, names) for inner in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"${{{name}}}", text)
    return value


def _take(document: dict[str, Any], resource_type: str) -> dict[str, dict[str, Any]]:
    """Removes the resources of a type, and the stack's outputs that speak of them."""
    taken = {i: r for i, r in document["Resources"].items() if r["Type"] == resource_type}
    for logical_id in taken:
        del document["Resources"][logical_id]
    outputs = document.get("Outputs", {})
    for name in [n for n, o in outputs.items() if _mentions(o, set(taken))]:
        del outputs[name]
    return taken


def _mentions(value: Any, logical_ids: set[str]) -> bool:
    if isinstance(value, dict):
        return any(
            (key == "Ref" and inner in logical_ids)
            or (
                key == "Fn::GetAtt" and str(inner[0] if isinstance(inner, list) else inner).split(".")[0] in logical_ids
            )
            or _mentions(inner, logical_ids)
            for key, inner in value.items()
        )
    return isinstance(value, list) and any(_mentions(inner, logical_ids) for inner in value)


def _substitute_definitions(document: dict[str, Any]) -> None:
    """DefinitionSubstitutions, which moto does not know, written as the Fn::Sub that they are."""
    for resource in document["Resources"].values():
        if resource["Type"] != "AWS::StepFunctions::StateMachine":
            continue
        properties = resource["Properties"]
        substitutions = properties.pop("DefinitionSubstitutions", {})
        definition = properties.get("DefinitionString")
        text = "".join(definition["Fn::Join"][1]) if isinstance(definition, dict) else str(definition)
        # Only the names that are substituted are placeholders; any other `${` belongs to the definition.
        escaped = text.replace("${", "${!")
        for name in substitutions:
            escaped = escaped.replace(f"${{!{name}}}", f"${{{name}}}")
        properties["DefinitionString"] = {"Fn::Sub": [escaped, substitutions]} if substitutions else text


def _intrinsics(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every intrinsic function in a resource's properties, with where it stands."""
    if isinstance(value, dict):
        if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
            return [(path, value)]
        return [found for key, inner in value.items() for found in _intrinsics(inner, (*path, str(key)))]
    if isinstance(value, list):
        return [found for i, inner in enumerate(value) for found in _intrinsics(inner, (*path, str(i)))]
    return []


def _output_name(logical_id: str, path: tuple[str, ...]) -> str:
    return f"Local{logical_id}{''.join(part[:1].upper() + part[1:] for part in path)}"


def _create_schedule(client: Callable[[str], Any], logical_id: str, properties: dict[str, Any]) -> None:
    client("scheduler").create_schedule(**{"Name": logical_id, **properties})


def _put_bucket_policy(client: Callable[[str], Any], logical_id: str, properties: dict[str, Any]) -> None:
    client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"]))


#: What moto's CloudFormation cannot make, and how it is made instead.
_BY_OWN_API: dict[str, Callable[[Callable[[str], Any], str, dict[str, Any]], None]] = {
    "AWS::Scheduler::Schedule": _create_schedule,
    "AWS::S3::BucketPolicy": _put_bucket_policy,
}


def _resolved(value: Any, logical_id: str, outputs: Mapping[str, str], path: tuple[str, ...] = ()) -> Any:
    if _output_name(logical_id, path) in outputs and path:
        return outputs[_output_name(logical_id, path)]
    if isinstance(value, dict):
        return {key: _resolved(inner, logical_id, outputs, (*path, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, logical_id, outputs, (*path, str(i))) for i, inner in enumerate(value)]
    return value


def _function(
    client: Any,
    name: str,
    package: Path,
    layer_folders: tuple[Path, ...],
    reserved_concurrency: int | None,
    log_group: str | None,
) -> Function:
    """A function as moto has it; its layers, which moto's CloudFormation leaves out, are given."""
    deployed = client.get_function_configuration(FunctionName=name)
    return Function(
        name=deployed["FunctionName"],
        arn=deployed["FunctionArn"].split(":$LATEST")[0],
        handler=deployed["Handler"],
        runtime=deployed["Runtime"],
        package=package,
        layers=layer_folders,
        role_arn=deployed["Role"],
        timeout=int(deployed["Timeout"]),
        memory=int(deployed["MemorySize"]),
        variables={k: str(v) for k, v in deployed.get("Environment", {}).get("Variables", {}).items()},
        log_group=log_group or f"/aws/lambda/{deployed['FunctionName']}",
        reserved_concurrency=reserved_concurrency,
    )


def _placeholder_package() -> bytes:
    """moto keeps the functions' configuration only, so what it gets as their code does not matter."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("README", "The code runs from the folder that sam build made.")
    return content.getvalue()


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
