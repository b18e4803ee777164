"""Executions of the migrate state machine: started, and followed to their report."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from migration import clients
from migration.presentation import facts, wording

from . import account
from .account import NotFound, Stack
from .exchange import Exchange
from .progress import summary
from .watching import plan_of
from .watching import watch as follow

_POLL_SECONDS = 3.0


def start(stack: Stack, document: dict[str, Any]) -> str:
    """Starts an execution with an input; returns its ARN."""
    states = account.client("stepfunctions")
    started = states.start_execution(stateMachineArn=stack.state_machine, input=json.dumps(document))
    return str(started["executionArn"])


def watch(arn: str) -> bool:
    """Shows an execution until its end, and then its report. Whether it succeeded and its report is in order.

    Raises:
        NotFound: there is no such execution.
    """
    states, s3 = account.client("stepfunctions"), clients.s3()
    console = Console(stderr=True)

    def exchange() -> Exchange | None:
        plan = plan_of(states, arn)
        return None if plan is None else Exchange.of_plan(s3, plan)

    try:
        ended = follow(states, arn, exchange, console, _POLL_SECONDS)
    except states.exceptions.ExecutionDoesNotExist as error:
        raise NotFound(f"There is no execution {arn}. Look at its region and its account.") from error
    found = exchange()
    reports = found.reports() if found is not None else []
    if reports:
        Console().print(summary(reports[-1]))
    if ended["status"] != "SUCCEEDED":
        told = ended.get("error") or ended["status"]
        message = wording.printable(_message(ended.get("cause") or ""))
        console.print(Text(f"{told}: {message}".removesuffix(": "), style="bold red"), soft_wrap=True)
    return bool(ended["status"] == "SUCCEEDED" and reports and facts.verdict(reports[-1]) != facts.FAIL)


def _message(cause: str) -> str:
    """What a function said: Lambda wraps it in JSON."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    return str(told.get("errorMessage", cause)) if isinstance(told, dict) else cause
