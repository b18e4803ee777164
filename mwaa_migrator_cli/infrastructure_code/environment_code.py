"""An environment of an account as code, in the language of the tool that is to take it over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from migration.aws import clients
from migration.environments import environment as mwaa_environment

from ..account import NotFound, region
from . import cdk, cloudformation, terraform
from .environment_resource import EnvironmentResource, resource_of

_WRITERS: dict[str, Callable[[EnvironmentResource], str]] = {
    "cloudformation": cloudformation.template,
    "terraform": terraform.configuration,
    "cdk": cdk.stack,
}


class Code(NamedTuple):
    """Code for an environment, and the fields of it for which there is no property."""

    text: str
    left_out: tuple[str, ...]


def of(name: str, form: str) -> Code:
    """An environment of the chosen account and region as code for `cloudformation`, `terraform` or `cdk`.

    Raises:
        NotFound: there is no such environment.
    """
    mwaa = clients.mwaa(region())
    found = mwaa_environment.get(mwaa, name)
    if found is None:
        raise NotFound(f"There is no environment {name} in {region()}. Give its name and its --region.")
    resource = resource_of(found, mwaa_environment.unread_fields(mwaa, name))
    return Code(_WRITERS[form](resource), resource.left_out)
