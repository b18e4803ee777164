"""Follows an execution of the migrate state machine to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from .exchange import Exchange
from .progress import ProgressDisplay

# The state machines' names behind the stack's, and the state of a rehearsal in which its migration runs.
_MIGRATE, _REHEARSE, _MIGRATING = "-migrate", "-rehearse", "Rehearse"


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
            found = found or exchange()
            phases, rows = ((), {}) if found is None else (found.phases(), found.rows())
            display.show(lambda: _current_state(states, execution), phases, rows)
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


def migration_of(execution: str) -> str:
    """The execution of the migrate state machine that an execution is, or that a rehearsal has of the same name."""
    *above, machine, name = execution.split(":")
    if machine.endswith(_REHEARSE):
        machine = f"{machine.removesuffix(_REHEARSE)}{_MIGRATE}"
    return ":".join([*above, machine, name])


def _current_state(states: Any, execution: str) -> str:
    """The state that an execution is in: of a rehearsal, while it migrates, that of its migration."""
    own, migration = _last_entered(states, execution), migration_of(execution)
    if own != _MIGRATING or migration == execution:
        return own
    try:
        return _last_entered(states, migration) or own
    except states.exceptions.ExecutionDoesNotExist:
        # It starts a little later.
        return own


def _last_entered(states: Any, execution: str) -> str:
    history = states.get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=25, includeExecutionData=False
    )
    # Events are numbered in their order.
    entered = [event for event in history["events"] if "stateEnteredEventDetails" in event]
    return str(max(entered, key=lambda event: event["id"])["stateEnteredEventDetails"]["name"]) if entered else ""
