"""A stack of the AWS CDK in TypeScript with an environment, and the command that imports it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .environment_resource import EnvironmentResource, Secret

# Their keys are names that people chose, not properties.
_BY_NAME = ("AirflowConfigurationOptions", "Tags")


def stack(resource: EnvironmentResource) -> str:
    """The stack's source, with a comment that says how to import it."""
    return "\n".join(_lines(resource)) + "\n"


def _lines(resource: EnvironmentResource) -> Iterator[str]:
    yield f"// {resource.name} as it is. `cdk import` takes it over without a change to it, and asks for its Name."
    yield 'import * as cdk from "aws-cdk-lib";'
    yield 'import * as mwaa from "aws-cdk-lib/aws-mwaa";'
    yield 'import { Construct } from "constructs";'
    yield ""
    yield f"export class {''.join(word.capitalize() for word in resource.words)}Stack extends cdk.Stack {{"
    yield "  constructor(scope: Construct, id: string, props?: cdk.StackProps) {"
    yield "    super(scope, id, props);"
    for secret in resource.secrets:
        described = json.dumps(f"Airflow option {secret.option}")
        yield (
            f'    const {_variable(secret)} = new cdk.CfnParameter(this, "{secret.parameter}", '
            f"{{ noEcho: true, description: {described} }});"
        )
    yield '    const environment = new mwaa.CfnEnvironment(this, "Environment", {'
    for name, value in resource.properties.items():
        yield f"      {_property(name)}: {_literal(value, name not in _BY_NAME, '      ')},"
    yield "    });"
    yield "    environment.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN);"
    yield "  }"
    yield "}"


def _literal(value: Any, has_properties: bool, indent: str) -> str:
    """A value in TypeScript, whose literals JSON's are."""
    if isinstance(value, Secret):
        return f"{_variable(value)}.valueAsString"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    items = [
        f"{inner}{_property(name) if has_properties else json.dumps(name, ensure_ascii=False)}: "
        f"{_literal(item, has_properties, inner)},"
        for name, item in value.items()
    ]
    return "\n".join(["{", *items, f"{indent}}}"])


def _property(name: str) -> str:
    return name[0].lower() + name[1:]


def _variable(secret: Secret) -> str:
    return _property(secret.parameter)
