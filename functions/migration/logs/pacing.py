"""Keeps calls at their pace, so that a copy is not throttled and throttles nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

# Calls that an operation may fall behind and make up for, in seconds of its pace: a worker that has waited for an
# answer must not lose the calls that it could have made meanwhile, nor send a burst.
_SLACK = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


class Pacer:
    """Gives each operation of one region its next turn. For any number of threads."""

    def __init__(
        self,
        paces: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`paces`: calls a second by operation; others are not paced."""
        self._paces = dict(paces)
        self._clock = clock
        self._sleep = sleep
        self._factor = 1.0
        self._turns: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.throttles: Counter[str] = Counter()

    def share(self, factor: float) -> None:
        """From now on `factor` times the paces that it was made with."""
        with self._lock:
            self._factor = factor

    def wait(self, operation: str) -> None:
        """Returns when it is this call's turn."""
        with self._lock:
            self.calls[operation] += 1
            now = self._clock()
            pace = self._paces.get(operation)
            turn = max(self._turns.get(operation, now), now - _SLACK) if pace else now
            if pace:
                self._turns[operation] = turn + 1 / (pace * self._factor)
        if turn > now:
            self._sleep(turn - now)

    def throttled(self, operation: str) -> None:
        """After a throttle: nobody calls the operation for a while, each time for twice as long, up to 8 seconds."""
        with self._lock:
            self.throttles[operation] += 1
            pause = self._pauses.get(operation, _FIRST_PAUSE)
            self._pauses[operation] = min(2 * pause, _LONGEST_PAUSE)
            until = self._clock() + pause
            self._turns[operation] = max(self._turns.get(operation, until), until)
        self._sleep(pause)

    def answered(self, operation: str) -> None:
        """After an answer: the next throttle begins with a short pause again."""
        if operation in self._pauses:
            with self._lock:
                self._pauses.pop(operation, None)
