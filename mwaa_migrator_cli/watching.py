"""Follows an execution of the migrate state machine to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from .exchange import Exchange
from .progress import ProgressDisplay


def watch(
    states: Any, execution: str, exchange: Callable[[], Exchange | None], console: Console, seconds: float
) -> dict[str, Any]:
    """Shows how far an execution is until it has ended; returns its description.

    Args:
        states: a client of Step Functions.
        exchange: what the migration leaves; asked for until it is there, because the plan comes first.
        seconds: between two looks.
    """
    found: Exchange | None = None
    with ProgressDisplay(console) as display:
        while True:
            described: dict[str, Any] = states.describe_execution(executionArn=execution)
            # Without a terminal nobody sees the state.
            state = _current_state(states, execution) if console.is_terminal else ""
            found = found or exchange()
            if found is not None:
                display.show(state, found.phases(), found.rows())
            if described["status"] != "RUNNING":
                return described
            time.sleep(seconds)


def plan_of(states: Any, execution: str) -> Mapping[str, Any] | None:
    """The plan that an execution works from (`model.Migration`); None before it was made, and if it was refused."""
    history = states.get_execution_history(executionArn=execution, maxResults=100, includeExecutionData=True)
    for event in history["events"]:
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Plan":
            # A refused plan goes on without an output of its own.
            plan: Mapping[str, Any] = json.loads(exited.get("output") or "{}")
            return plan if "artifactId" in plan else None
    return None


def _current_state(states: Any, execution: str) -> str:
    history = states.get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=25, includeExecutionData=False
    )
    # Events are numbered in their order.
    entered = [event for event in history["events"] if "stateEnteredEventDetails" in event]
    return str(max(entered, key=lambda event: event["id"])["stateEnteredEventDetails"]["name"]) if entered else ""
