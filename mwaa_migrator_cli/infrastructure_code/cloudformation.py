"""A CloudFormation template with an environment, and the command that imports it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from .environment_resource import EnvironmentResource, Secret

#: The resource's name in the template.
LOGICAL_ID = "Environment"


def template(resource: EnvironmentResource) -> str:
    """The template in YAML, with a comment that says how to import it."""
    document: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09"}
    if resource.secrets:
        document["Parameters"] = {
            secret.parameter: {"Type": "String", "NoEcho": True, "Description": f"Airflow option {secret.option}"}
            for secret in resource.secrets
        }
    document["Resources"] = {
        LOGICAL_ID: {
            "Type": "AWS::MWAA::Environment",
            # CloudFormation imports nothing without one, and nobody wants an environment to go with its stack.
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": _plain(resource.properties),
        }
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return "".join(f"# {line}\n".replace("# \n", "#\n") for line in _how_to_import(resource)) + text


def _how_to_import(resource: EnvironmentResource) -> Sequence[str]:
    identity = [
        {
            "ResourceType": "AWS::MWAA::Environment",
            "LogicalResourceId": LOGICAL_ID,
            "ResourceIdentifier": {"Name": resource.name},
        }
    ]
    parameters = " ".join(f"ParameterKey={secret.parameter},ParameterValue=..." for secret in resource.secrets)
    return [
        f"{resource.name} as it is. To have a new stack take it over, without a change to it:",
        "",
        f"  aws cloudformation create-change-set --stack-name {resource.name} --change-set-name import \\",
        "    --change-set-type IMPORT --template-body file://template.yaml \\",
        *([f"    --parameters {parameters} \\"] if parameters else []),
        f"    --resources-to-import '{json.dumps(identity)}'",
        f"  aws cloudformation execute-change-set --stack-name {resource.name} --change-set-name import",
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"Ref": value.parameter}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return list(value) if isinstance(value, list | tuple) else value
