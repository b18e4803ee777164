"""Waits are data: a function says how long the state machine waits before it looks again, and when to give up.

What is counted is the time waited between looks, not the clock: a redriven execution goes on with what it has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def ready(event: dict[str, Any]) -> dict[str, Any]:
    """The end of a wait."""
    return {"ready": True, "waitSeconds": 0, "waitedSeconds": event["waitedSeconds"]}


def not_ready(event: dict[str, Any], *, seconds: int, limit: int, timed_out: Callable[[], Exception]) -> dict[str, Any]:
    """Another `seconds` to wait. Raises `timed_out()` once `limit` seconds have been waited."""
    waited = event["waitedSeconds"]
    if waited >= limit:
        raise timed_out()
    return {"ready": False, "waitSeconds": seconds, "waitedSeconds": waited + seconds}
