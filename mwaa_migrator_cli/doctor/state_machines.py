"""Checks of the deployed state machines by Step Functions' own validator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

DEFINITION = Check(
    "state-machines",
    "Does Step Functions find anything wrong with the deployed state machines?",
    "no error",
    "The state that is named fails when a migration comes to it. Deploy the release again; if the finding stays, do "
    "not migrate.",
    stops=True,
)
CHECKS = (DEFINITION,)


def findings(states: SFNClient, machines: list[str]) -> Iterator[Finding]:
    """Asks about each state machine (its ARN)."""
    for arn in machines:
        yield from asking(DEFINITION, arn.rsplit(":", 1)[-1], lambda arn=arn: _definition(states, arn))  # type: ignore[misc]


def _definition(states: SFNClient, arn: str) -> Finding:
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    answer = states.validate_state_machine_definition(definition=definition, type="STANDARD", severity="ERROR")
    errors = [f"{found.get('location', '')} {found['code']}: {found['message']}" for found in answer["diagnostics"]]
    return as_expected(DEFINITION, arn.rsplit(":", 1)[-1], answer["result"] == "OK", "; ".join(errors) or "no error")
