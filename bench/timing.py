"""Times several ways of doing the same thing, in turns."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

logger = logging.getLogger("bench")


def nothing() -> None:
    """For contenders that need no preparation."""


@dataclass(frozen=True)
class Contender:
    """`run` is timed; `prepare` before it and `clean` after it are not."""

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = nothing
    clean: Callable[[], object] = nothing


def ratios(one: Contender, other: Contender, pairs: int) -> list[float]:
    """What `one` takes of `other`'s time, pair by pair. Each begins every second pair."""
    found = []
    for pair in range(pairs):
        seconds: dict[str, float] = {}
        for contender in (one, other) if pair % 2 == 0 else (other, one):
            seconds |= medians([contender], 1)
        found.append(seconds[one.name] / seconds[other.name])
    return found


def medians(contenders: Sequence[Contender], runs: int) -> dict[str, float]:
    """The median seconds of each.

    All are run once, then all a second time, and so on: what else the machine does then falls on all of them.
    """
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(runs):
        for contender in contenders:
            contender.prepare()
            begun = time.perf_counter()
            contender.run()
            elapsed = time.perf_counter() - begun
            contender.clean()
            logger.info("%s: %.2f s", contender.name, elapsed)
            seconds[contender.name].append(elapsed)
    return {name: statistics.median(measured) for name, measured in seconds.items()}
