"""All the checks of an account, in the order in which a migration comes to what they ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from migration.aws import clients
from migration.environments import environment as environments
from mwaa_migrator_cli import account
from mwaa_migrator_cli.account import NotFound

from . import alarm, cli_endpoint, environment, probe, rights, sdk, state_machines
from .finding import Check, Finding
from .stack_resources import StackResources

CHECKS: tuple[Check, ...] = (
    *state_machines.CHECKS,
    *sdk.CHECKS,
    *alarm.CHECKS,
    *environment.CHECKS,
    *rights.CHECKS,
    *cli_endpoint.CHECKS,
    *probe.CHECKS,
)


class Named(NamedTuple):
    """An environment of the account, and its region (None: the stack's)."""

    name: str
    region: str | None


def findings(stack: str, asked: Sequence[Named], probing: Callable[[str], None] | None = None) -> Iterator[Finding]:
    """The findings about a stack and about environments of its account, one by one.

    With `probing`, which gets what is waited for, a DAG of ours runs in each environment.

    Raises:
        NotFound: there is no environment of one of these names.
    """
    places = [(name, region or account.region()) for name, region in asked]
    described = [(name, region, environments.get(clients.mwaa(region), name)) for name, region in places]
    functions = account.client("lambda")
    resources = StackResources.of(account.client("cloudformation"), stack)
    yield from state_machines.findings(clients.states(), resources.of_type("AWS::StepFunctions::StateMachine"))
    yield from sdk.findings(functions, resources.physical_id("PlanFunction"))
    yield from alarm.raise_alarm(account.client("cloudwatch"), resources.physical_id("Topic"))
    for name, region, settings in described:
        if settings is None:
            raise NotFound(
                f"There is no environment {name} in {region}. Give its name, and --source-region or --target-region "
                "where it is not in the stack's region."
            )
        mwaa, kms = clients.mwaa(region), clients.kms(region)
        yield from environment.findings(mwaa, kms, settings)
        yield from rights.findings(clients.iam(), kms, functions, resources, settings)
        yield from cli_endpoint.findings(mwaa, name, settings["AirflowVersion"])
        if probing is not None:
            exchange = probe.Exchange(
                clients.s3(), clients.kms(), resources.physical_id("ExchangeBucket"), resources.key
            )
            yield from probe.run_probe(mwaa, clients.s3(region), exchange, settings, probing)
