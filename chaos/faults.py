"""What goes wrong in a migration, where, and how often: all of it follows from a seed.

The place of a fault is a number: the n-th call of AWS by a function or a task, the n-th invocation of a function, the
n-th command of a CLI, the n-th task of ours. They are counted as they arrive, also those that run side by side; so a
seed gives the same faults at the same numbers, and nearly always at the same calls.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from migration.airflow import path

#: Each kind of fault with its number of places, about as many as a migration without faults has; one is drawn.
AWS_CALLS, INVOCATIONS, COMMANDS, TASKS, POLLS = 1500, 56, 110, 24, 10
KINDS: dict[str, int] = {
    "AWS call throttled": AWS_CALLS,
    "AWS call answered 500": AWS_CALLS,
    "AWS call answered 503": AWS_CALLS,
    "AWS call hangs": AWS_CALLS,
    "AWS connection closed without an answer": AWS_CALLS,
    "AWS call carried out, its answer lost": AWS_CALLS,
    "AWS call carried out, then hangs": AWS_CALLS,
    "function killed before a call": AWS_CALLS,
    "function killed after a call": AWS_CALLS,
    "function run twice for one event": INVOCATIONS,
    "function timed out after its work": INVOCATIONS,
    "execution aborted, started again": INVOCATIONS,
    "execution aborted, redriven": INVOCATIONS,
    "CLI answers 403": COMMANDS,
    "CLI answers 502": COMMANDS,
    "CLI answers truncated base64": COMMANDS,
    "CLI runs the command, answers 502": COMMANDS,
    "CLI hangs": COMMANDS,
    "CLI runs the command, then hangs": COMMANDS,
    "CLI token expired in flight": COMMANDS,
    "task killed": TASKS,
    "connection lost in COPY": 1,
    "connection lost in the merge": 1,
    "target CREATE_FAILED": 3,
    "target UPDATE_FAILED": 3,
    "target ROLLING_BACK, then AVAILABLE as before": 3,
    "target UNAVAILABLE": POLLS,
    "target in MAINTENANCE for some polls": POLLS,
}
# How many calls in a row fail, and so whether the SDK's own retries outlast it; other kinds strike once.
_IN_A_ROW = (1, 3, 8, 20)
# The most in a row. In our functions the SDK tries five times, and each call that hangs takes its time.
_REPEATED = {
    "AWS call throttled": 20,
    "AWS call answered 500": 20,
    "AWS call answered 503": 20,
    "AWS call hangs": 6,
    "AWS connection closed without an answer": 20,
    "CLI answers 403": 20,
    "CLI answers 502": 20,
    "CLI hangs": 3,
}
#: The target's status from the fault's place on, for how many polls, and the status before if that matters.
_FOR_GOOD = 10_000
STATUSES = {
    "target CREATE_FAILED": ("CREATE_FAILED", _FOR_GOOD, "CREATING"),
    "target UPDATE_FAILED": ("UPDATE_FAILED", _FOR_GOOD, "UPDATING"),
    "target ROLLING_BACK, then AVAILABLE as before": ("ROLLING_BACK", 2, "UPDATING"),
    "target UNAVAILABLE": ("UNAVAILABLE", _FOR_GOOD, None),
    "target in MAINTENANCE for some polls": ("MAINTENANCE", 3, None),
}
#: An update without effect: the environment has the old version and the old rows, as after a rollback.
OF_UPDATES = ("target UPDATE_FAILED", "target ROLLING_BACK, then AVAILABLE as before")
# One migration in so many goes on to Airflow 3, whatever strikes it. The number does not divide the number of kinds, so
# that each kind has its turn. Such a migration has more places.
_HOPS = 9
_WITH_HOP = {AWS_CALLS: 1800, INVOCATIONS: 66, COMMANDS: 120, POLLS: 16}


@dataclass
class Fault:
    """A fault of a kind from its `place` on, so many `times`; `struck` says how often it has happened."""

    kind: str
    place: int
    times: int
    delay: float
    struck: int = 0

    def __str__(self) -> str:
        return f"{self.kind} (place {self.place}, {self.times} in a row, {'struck' if self.struck else 'not reached'})"


def plan(seed: int, kinds: Mapping[str, int] = KINDS) -> list[Fault]:
    """One to three faults of those kinds; only migrations with KINDS go on to Airflow 3."""
    chance = random.Random(seed)
    # The first in turn, so that enough seeds have all kinds; the others are drawn.
    drawn = [list(kinds)[seed % len(kinds)]]
    drawn += chance.sample(sorted(kinds), chance.randrange(3))
    hop = kinds is KINDS and _hops(seed, drawn)
    places = with_places(kinds, _WITH_HOP) if hop else kinds
    return [
        Fault(kind, chance.randrange(places[kind]), _times(kind, chance.choice(_IN_A_ROW)), chance.random() * 1.5)
        for kind in dict.fromkeys(drawn)
    ]


def with_places(kinds: Mapping[str, int], others: Mapping[int, int]) -> dict[str, int]:
    """The kinds with other numbers of places: `others` maps AWS_CALLS, INVOCATIONS... to what there is instead."""
    return {kind: others.get(places, places) for kind, places in kinds.items()}


def way(seed: int) -> str | None:
    """The way of a seed's migration to Airflow 3, which is a hop; None for one within 2.x."""
    return path.THROUGH if _hops(seed, [fault.kind for fault in plan(seed)]) else None


def _hops(seed: int, kinds: Iterable[str]) -> bool:
    return seed % _HOPS == 0 or not set(OF_UPDATES).isdisjoint(kinds)


def _times(kind: str, drawn: int) -> int:
    """How often a fault of a kind strikes. A number is drawn for any kind, so that places do not depend on kinds."""
    if kind in STATUSES:
        return STATUSES[kind][1]
    return min(drawn, _REPEATED.get(kind, 1))
