"""The line that a team's own code needs for a setting of its environment to be as expected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from migration.environments.adoption import Difference

from . import terraform
from .environment_resource import Secret, shown_option

_OPTIONS = "AirflowConfigurationOptions"


def of(difference: Difference) -> Iterator[tuple[str, str]]:
    """For CloudFormation and for Terraform, each with the place in the resource if the line is not at its top.

    The CDK's property is CloudFormation's with a small first letter. A value that may be a secret becomes a parameter.
    """
    *places, name = difference.path
    is_option = places == [_OPTIONS]
    value = shown_option(name, difference.expected) if is_option and difference.expected else difference.expected
    argument = json.dumps(name) if is_option else terraform.argument(name)
    if value is None:
        yield "CloudFormation", _in(places, f"without {name}")
        yield "Terraform", _in(map(terraform.argument, places), f"without {argument}")
        return
    yield "CloudFormation", _in(places, _yaml(name, value))
    yield "Terraform", _in(map(terraform.argument, places), f"{argument} = {terraform.literal(value)}")


def _in(places: Iterable[str], line: str) -> str:
    where = ".".join(places)
    return f"{line}  (in {where})" if where else line


def _yaml(name: str, value: Any) -> str:
    if isinstance(value, Secret):
        return f"{name}: !Ref {value.parameter}"
    return yaml.safe_dump({name: value}, default_flow_style=True, width=float("inf"), allow_unicode=True).strip()[1:-1]
