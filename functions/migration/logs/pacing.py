"""Keeps calls at their pace, so that a copy is not throttled and throttles nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping

from migration.logs.quota_shares import Need, Shares

# Calls that an operation may fall behind and make up for, in seconds of its pace: a worker that has waited for an
# answer must not lose the calls that it could have made meanwhile, nor send a burst.
_SLACK = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# A worker that made this part of its calls and still had to wait needs more. Others need what they used, and a bit to
# grow.
_USED_UP = 0.9
_GROWTH = 1.25
# Until a worker has come so far that its needs show, in seconds, it needs as much as anybody.
_LEARNING = 4.0
# Seconds until the shares are asked for again when other workers wrote all the time.
_AGAIN = 0.3
# The shortest wait, for a call that wakes before the one whose turn it is.
_SHORTEST = 0.001


class Pacer:
    """Gives each operation of one region its next turn. For any number of threads."""

    def __init__(
        self,
        paces: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        shares: Shares | None = None,
    ) -> None:
        """`paces`: calls a second by operation; others are not paced. With `shares` they are those of all workers
        together, and this one's own part changes with what it and the others need."""
        self._whole = dict(paces)
        self._clock = clock
        self._sleep = sleep
        self._shares = shares
        self._lock = threading.Lock()
        now = clock()
        # Of each operation: the pace, and the calls that may be made at once, as they were at a time.
        self._paces = dict.fromkeys(paces, 0.0) if shares else dict(paces)
        self._allowed = dict.fromkeys(paces, 1.0)
        self._filled = now
        self._pauses: dict[str, float] = {}
        self._paused_until: dict[str, float] = {}
        # With shares: until when the paces hold, when they are to be renewed, and what was needed since they were.
        self._renewing = threading.Lock()
        self._until = float("inf") if shares is None else now
        self._due = float("inf") if shares is None else now
        self._renewed = self._begun = now
        self._made: Counter[str] = Counter()
        self._waited: set[str] = set()
        self._queues: defaultdict[str, deque[object]] = defaultdict(deque)
        self._streams: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.throttles: Counter[str] = Counter()

    def wait(self, operation: str) -> None:
        """Returns when it is this call's turn. Raises what the renewal of the shares raises."""
        ticket = object()
        with self._lock:
            self.calls[operation] += 1
            self._queues[operation].append(ticket)
        try:
            while True:
                if self._clock() >= self._due:
                    self._renew()
                seconds = self._take_turn(operation, ticket)
                if seconds <= 0:
                    return
                self._sleep(seconds)
        finally:
            with self._lock:
                if ticket in self._queues[operation]:
                    self._queues[operation].remove(ticket)

    def expect(self, operation: str, streams: int) -> None:
        """So many streams more, or fewer, are waiting for the operation."""
        with self._lock:
            self._streams[operation] += streams

    def pause(self, operation: str) -> None:
        """After a throttle: nobody calls the operation for a while, each time for twice as long, up to 8 seconds."""
        with self._lock:
            self.throttles[operation] += 1
            pause = self._pauses.get(operation, _FIRST_PAUSE)
            self._pauses[operation] = min(2 * pause, _LONGEST_PAUSE)
            until = self._clock() + pause
            self._paused_until[operation] = max(self._paused_until.get(operation, until), until)
        self._sleep(pause)

    def reset_pause(self, operation: str) -> None:
        """After an answer: the next throttle begins with a short pause again."""
        if operation in self._pauses:
            with self._lock:
                self._pauses.pop(operation, None)

    def leave(self) -> None:
        """Gives the shares back; no call is made any more."""
        if self._shares is not None:
            with self._renewing:
                self._set(dict.fromkeys(self._whole, 0.0))
                self._shares.leave()

    def _take_turn(self, operation: str, ticket: object) -> float:
        """Takes the turn (0), or returns how many seconds to wait before asking again.

        First come, first served, so that the waiting streams progress evenly and end at about the same time.
        """
        with self._lock:
            now = self._clock()
            paused = self._paused_until.get(operation, now) - now
            if paused > 0:
                return paused
            if operation not in self._paces:
                return 0.0
            self._fill(now)
            queue = self._queues[operation]
            before = queue.index(ticket)
            if not before and self._allowed[operation] >= 1:
                queue.popleft()
                self._allowed[operation] -= 1
                self._made[operation] += 1
                return 0.0
            self._waited.add(operation)
            pace = self._paces[operation]
            lacking = (before + 1 - self._allowed[operation]) / pace if pace else float("inf")
            return max(_SHORTEST, min(lacking, self._due - now))

    def _fill(self, now: float) -> None:
        """Adds the calls that have become allowed. To be called with the lock held."""
        seconds = max(0.0, min(now, self._until) - self._filled)
        for operation, pace in self._paces.items():
            most = 1 + _SLACK * pace
            self._allowed[operation] = min(most, self._allowed[operation] + seconds * pace)
        self._filled = now

    def _set(self, paces: Mapping[str, float]) -> None:
        with self._lock:
            self._fill(self._clock())
            self._paces.update(paces)

    def _lower(self, paces: Mapping[str, float]) -> None:
        self._set({operation: min(pace, self._paces[operation]) for operation, pace in paces.items()})

    def _renew(self) -> None:
        assert self._shares is not None
        with self._renewing:
            begun = self._clock()
            if begun < self._due:
                # Another thread did it meanwhile.
                return
            granted = self._shares.renew(self._needs(begun), self._lower)
            if granted is None:
                self._due = self._clock() + _AGAIN
                return
            self._set(granted.paces)
            with self._lock:
                now = self._clock()
                self._until, self._due, self._renewed = now + granted.seconds, now + granted.again, now
                self._made.clear()
                self._waited.clear()

    def _needs(self, now: float) -> dict[str, Need]:
        """What is needed of each operation; the whole where nothing less is known to suffice."""
        with self._lock:
            seconds = max(now - self._renewed, _SHORTEST)
            needs = {}
            for operation, whole in self._whole.items():
                made = self._made[operation]
                used_up = operation in self._waited and made + 1 >= _USED_UP * seconds * self._paces[operation]
                unknown = now - self._begun < _LEARNING
                needs[operation] = Need(
                    whole if used_up or unknown else _GROWTH * made / seconds, max(1, self._streams[operation])
                )
            return needs
