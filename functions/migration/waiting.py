"""Waits are data: a function says how long the state machine waits before it looks again, and when to give up.

What is counted is the time waited between looks, not the clock: a redriven execution goes on with what it has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def ready(event: dict[str, Any]) -> dict[str, Any]:
    """The end of a wait."""
    return {"ready": True, "waitSeconds": 0, "waitedSeconds": event["waitedSeconds"]}


# An execution's history has 25,000 events at most and ends there, rolling nothing back; a look takes some ten. With
# waits that grow to a two hundredth of what was waited, a week of looks, at any pace, takes fewer than 2,000.
_SHARE = 200


def not_ready(event: dict[str, Any], *, seconds: int, limit: int, timed_out: Callable[[], Exception]) -> dict[str, Any]:
    """Another `seconds` to wait, or more after hours. Raises `timed_out()` once `limit` seconds have been waited."""
    if event["waitedSeconds"] >= limit:
        raise timed_out()
    return again(event, seconds)


def again(event: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Another `seconds` to wait, or more after hours; who has no limit of its own gives up by what it looks at."""
    waited = event["waitedSeconds"]
    wait = max(seconds, waited // _SHARE)
    return {"ready": False, "waitSeconds": wait, "waitedSeconds": waited + wait}
