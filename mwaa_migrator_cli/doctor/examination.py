"""All the checks of an account, in the order in which a migration comes to what they ask about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migration.aws import clients
from migration.environments import environment as environments
from mwaa_migrator_cli import account
from mwaa_migrator_cli.account import NotFound

from . import cli_endpoint, environment, state_machines
from .finding import Check, Finding

CHECKS: tuple[Check, ...] = (*state_machines.CHECKS, *environment.CHECKS, *cli_endpoint.CHECKS)


def findings(stack: str, names: Sequence[str]) -> Iterator[Finding]:
    """The findings about a stack and about environments of its account and region, one by one.

    Raises:
        NotFound: there is no environment of one of these names.
    """
    region = account.region()
    mwaa = clients.mwaa(region)
    described = {name: environments.get(mwaa, name) for name in names}
    resources = _resources(stack)
    yield from state_machines.findings(clients.states(), resources.get("AWS::StepFunctions::StateMachine", []))
    for name, settings in described.items():
        if settings is None:
            raise NotFound(f"There is no environment {name} in {region}. Give its name and --region.")
        yield from environment.findings(mwaa, clients.kms(), settings)
        yield from cli_endpoint.findings(mwaa, name, settings["AirflowVersion"])


def _resources(stack: str) -> dict[str, list[str]]:
    """The physical ids of a stack's resources, by their types."""
    found: dict[str, list[str]] = {}
    for page in account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            found.setdefault(resource["ResourceType"], []).append(resource.get("PhysicalResourceId", ""))
    return found
