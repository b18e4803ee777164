"""The service's quotas: how many calls a second it answers."""

from __future__ import annotations

from collections.abc import Callable

#: An account's defaults in a region, in calls a second.
QUOTAS = {
    "GetLogEvents": 25.0,
    "FilterLogEvents": 5.0,
    "DescribeLogStreams": 25.0,
    "CreateLogStream": 50.0,
    "PutLogEvents": 5000.0,
}


class TokenBucket:
    """A quota in calls a second, of which a second's worth may come at once."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = max(1.0, rate)
        self._filled = clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(max(1.0, self._rate), self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
