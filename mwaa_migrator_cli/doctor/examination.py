"""All the checks of an account, in the order in which a migration comes to what they ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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


def findings(stack: str, names: Sequence[str], probing: Callable[[str], None] | None = None) -> Iterator[Finding]:
    """The findings about a stack and about environments of its account and region, one by one.

    With `probing`, which gets what is waited for, a DAG of ours runs in each environment.

    Raises:
        NotFound: there is no environment of one of these names.
    """
    region = account.region()
    mwaa = clients.mwaa(region)
    described = {name: environments.get(mwaa, name) for name in names}
    functions = account.client("lambda")
    resources = StackResources.of(account.client("cloudformation"), stack)
    yield from state_machines.findings(clients.states(), resources.of_type("AWS::StepFunctions::StateMachine"))
    yield from sdk.findings(functions, resources.physical_id("PlanFunction"))
    yield from alarm.raise_alarm(account.client("cloudwatch"), resources.physical_id("Topic"))
    for name, settings in described.items():
        if settings is None:
            raise NotFound(f"There is no environment {name} in {region}. Give its name and --region.")
        yield from environment.findings(mwaa, clients.kms(), settings)
        yield from rights.findings(clients.iam(), clients.kms(), functions, resources, settings)
        yield from cli_endpoint.findings(mwaa, name, settings["AirflowVersion"])
        if probing is not None:
            exchange = probe.Exchange(resources.physical_id("ExchangeBucket"), resources.key)
            yield from probe.run_probe(mwaa, clients.s3(region), clients.kms(), exchange, settings, probing)
