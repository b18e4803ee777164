"""Waits are data: a function says how long the state machine waits before it looks again, and when to give up.

What is counted is the time waited between looks, not the clock: a redriven execution continues with what it has left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Whether what is waited for is there; else in how many seconds to look again, with `waited_seconds`."""

    ready: bool
    wait_seconds: int
    waited_seconds: int


def ready(waited: int) -> Progress:
    """What was waited for is ready, after `waited` seconds."""
    return Progress(ready=True, wait_seconds=0, waited_seconds=waited)


# An execution's history has 25,000 events at most and ends there, rolling nothing back; a look takes some ten. With
# waits that grow to a two hundredth of what was waited, a week of looks, at any pace, takes fewer than 2,000.
_SHARE = 200


def not_ready(waited: int, *, seconds: int, limit: int, timed_out: Callable[[], Exception]) -> Progress:
    """Another `seconds` to wait, or more after hours. Raises `timed_out()` once `limit` seconds have been waited."""
    if waited >= limit:
        raise timed_out()
    return again(waited, seconds)


def again(waited: int, seconds: int) -> Progress:
    """Another `seconds` to wait, or more after hours; for callers that decide for themselves when to give up."""
    wait = max(seconds, waited // _SHARE)
    return Progress(ready=False, wait_seconds=wait, waited_seconds=waited + wait)
