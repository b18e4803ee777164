"""Says again what is waited for, and for how long, when nothing else was said for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from migration import wording

# Seconds before the first reminder, between two later ones, and between two checks of the thread.
_FIRST, _LAST, _TICK = 15.0, 60.0, 1.0


class Reminder:
    """The first reminder comes after 15 seconds, the next after as long again and twice that; then one a minute."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self.begin("starting")

    def begin(self, what: str) -> None:
        """Begins the wait for `what`, which has just been said."""
        self._what, self._since, self._said, self._pause = what, self._clock(), self._clock(), _FIRST

    def remind(self, where: Callable[[], str] = str) -> None:
        """Says it if it is time. `where` adds to it, and is called only then."""
        now = self._clock()
        if now - self._said < self._pause:
            return
        self._said, self._pause = now, min(2 * self._pause, _LAST)
        self._say(
            ", ".join(part for part in (f"{self._what} ... {wording.duration(now - self._since)}", where()) if part)
        )


@contextmanager
def reminding(reminder: Reminder) -> Iterator[None]:
    """Reminds from a thread of its own while the caller waits."""
    ended = threading.Event()

    def remind() -> None:
        while not ended.wait(_TICK):
            reminder.remind()

    thread = threading.Thread(target=remind, name="reminder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
