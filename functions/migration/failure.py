"""What a Catch of the state machine keeps of a failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict


class Failure(TypedDict):
    """Where and why it failed: the state, the error's name, what to do."""

    state: str
    error: str
    message: str


def failure_of(caught: Mapping[str, str]) -> Failure | None:
    """From what a Catch kept: `state`, `error`, and `cause`, which is Lambda's JSON where a function has failed."""
    if not caught:
        return None
    return Failure(state=caught["state"], error=caught["error"], message=message_of(caught.get("cause") or ""))


def message_of(cause: str) -> str:
    """The message in a failure's cause, which Lambda gives as JSON and Step Functions as plain text."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
