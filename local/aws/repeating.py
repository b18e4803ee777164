"""Work that is repeated in the background until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Repeating:
    """Calls a function in a thread of its own, with so many seconds before each call."""

    def __init__(self, work: Callable[[], None], seconds: float, name: str) -> None:
        self._work = work
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Does nothing where it has started."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Returns when a call that is under way has ended. Does nothing where it has not started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._work()
