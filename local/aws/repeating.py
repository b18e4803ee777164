"""Something that is done again and again in the background, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Repeating:
    """Calls `act` in a thread of its own, so many seconds apart; the first time that long after its start."""

    def __init__(self, act: Callable[[], None], seconds: float, name: str) -> None:
        self._act = act
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins, unless it has already."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Returns when what is being done is done. Harmless where nothing was started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._act()
