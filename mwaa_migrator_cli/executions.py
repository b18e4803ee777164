"""Executions of the state machines: started, and followed to their report."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from migration import wording
from migration.aws import clients
from migration.failure import message_of
from migration.report import judging

from . import account
from .account import NotFound
from .exchange import Exchange
from .progress import summary
from .watching import migration_of, plan_of
from .watching import watch as follow

_POLL_SECONDS = 3.0


def start(machine: str, document: dict[str, Any]) -> str:
    """Starts an execution of a state machine (its ARN) with an input; returns its ARN."""
    states = account.client("stepfunctions")
    started = states.start_execution(stateMachineArn=machine, input=json.dumps(document))
    return str(started["executionArn"])


def watch(arn: str) -> bool:
    """Shows an execution until its end, and then its report. Whether it succeeded and its report is in order.

    Raises:
        NotFound: there is no such execution.
    """
    states, s3 = account.client("stepfunctions"), clients.s3()
    console = Console(stderr=True)

    def exchange() -> Exchange | None:
        try:
            plan = plan_of(states, migration_of(arn))
        except states.exceptions.ExecutionDoesNotExist:
            # A rehearsal's migration starts a little later.
            return None
        return None if plan is None else Exchange.of_plan(s3, plan)

    try:
        ended = follow(states, arn, exchange, console, _POLL_SECONDS)
    except states.exceptions.ExecutionDoesNotExist as error:
        raise NotFound(f"There is no execution {arn}. Look at its region and its account.") from error
    found = exchange()
    reports = found.reports() if found is not None else []
    if reports:
        Console().print(summary(reports[-1]))
    output = json.loads(ended.get("output") or "{}")
    if ended["status"] != "SUCCEEDED":
        name = ended.get("error") or ended["status"]
        message = wording.printable(message_of(ended.get("cause") or ""))
        console.print(Text(f"{name}: {message}".removesuffix(": "), style="bold red"), soft_wrap=True)
    elif output.get("outcome") == "skipped":
        # What a rehearsal ends with whose source another migration works on.
        message = wording.printable(message_of(output["cause"]))
        console.print(Text(f"Skipped: {message}", style="bold dark_orange"), soft_wrap=True)
    # A bucket that has refused the report leaves the output to tell; who was skipped has neither.
    verdict = judging.verdict(reports[-1]) if reports else output.get("verdict", judging.FAIL)
    return bool(ended["status"] == "SUCCEEDED" and verdict != judging.FAIL)
