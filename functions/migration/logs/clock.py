"""Time, in one place, so that tests can turn it."""

from __future__ import annotations

import time

#: In milliseconds, as CloudWatch Logs has times.
DAY = 24 * 60 * 60 * 1000


class Clock:
    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
