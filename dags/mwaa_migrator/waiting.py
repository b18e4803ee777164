"""Waiting for what other threads bring, without forgetting a session that waits too."""

from __future__ import annotations

import queue
import time
from contextlib import suppress
from typing import Any, Callable, Iterator

#: Seconds after which the caller may do something else while it waits; a COPY can take an hour.
PATIENCE = 60.0


def arrivals(incoming: queue.Queue[Any], while_waiting: Callable[[], None]) -> Iterator[Any]:
    """What arrives, for ever. ``while_waiting`` is called every PATIENCE seconds, however much arrives meanwhile."""
    due = time.monotonic() + PATIENCE
    while True:
        arrived = []
        with suppress(queue.Empty):
            arrived.append(incoming.get(timeout=max(0.0, due - time.monotonic())))
        yield from arrived
        if time.monotonic() >= due:
            while_waiting()
            due = time.monotonic() + PATIENCE
