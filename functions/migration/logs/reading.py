"""Reads streams: big ones page by page, many small ones together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from migration.logs.api import LogsApi, StreamMissing
from migration.logs.packing import Event

# What is held of small streams before any is written: four pages, 4 MB of text at most.
_PAGES_HELD = 4
# A stream with more than this in those pages, a hundredth of them, is read by itself when they are not the end: two
# calls of GetLogEvents, of which 25 a second are allowed, cost no more than its part of FilterLogEvents with its 5.
_SMALL_EVENTS = 400
_SMALL_BYTES = 40_000
# How often the rest of a set is tried after big streams were taken out of it. Each try finds one at least, for a call
# of FilterLogEvents or a few; what is left is read stream by stream.
_ROUNDS = 20


class Page(NamedTuple):
    """Events, and the token with which reading continues after them."""

    events: list[Event]
    token: str


class Window(NamedTuple):
    """Times in milliseconds: events from `start` on and before `end`."""

    start: int
    end: int


def pages(api: LogsApi, group: str, stream: str, window: Window, token: str | None = None) -> Iterator[Page]:
    """The pages of a stream, from the start or behind a token. The end is where the token repeats: a page can be empty
    with more behind it."""
    while True:
        events, following = api.events(group, stream, window.start, window.end, token)
        if following == token:
            return
        token = following
        yield Page(events, token)


def read_ahead(source: Iterator[Page]) -> Iterator[Page]:
    """The same pages; while one is worked on, the next is on its way."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, None)
        while (page := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield page


class Small(NamedTuple):
    """`whole`: streams that were read whole, with their events, perhaps none. `alone`: streams that are to be read by
    themselves, because they are big, or because one that was asked for with them has gone."""

    whole: dict[str, list[Event]]
    alone: list[str]


def small_streams(api: LogsApi, group: str, names: list[str], window: Window, together: int) -> Iterator[Small]:
    """Reads streams, `together` at a time. Each name is in one of the answers, in one of its two parts."""
    for first in range(0, len(names), together):
        yield from _set_of_small(api, group, names[first : first + together], window)


def _set_of_small(api: LogsApi, group: str, names: list[str], window: Window) -> Iterator[Small]:
    for _ in range(_ROUNDS):
        if not names:
            return
        try:
            found, big = _held(api, group, names, window)
        except StreamMissing:
            break
        if not big:
            yield Small(found, [])
            return
        yield Small({}, big)
        names = [name for name in names if name not in set(big)]
    yield Small({}, names)


def _held(api: LogsApi, group: str, names: list[str], window: Window) -> tuple[dict[str, list[Event]], list[str]]:
    """All events of the streams; or, when that is too much, the streams that turned out big."""
    found: dict[str, list[Event]] = {name: [] for name in names}
    bytes_of = dict.fromkeys(names, 0)
    token: str | None = None
    held = 0
    while True:
        events, token = api.events_of_many(group, names, window.start, window.end, token)
        for event in events:
            name = event["logStreamName"]
            found[name].append(event)
            bytes_of[name] += len(event["message"])
        if token is None:
            return found, []
        held += 1 if events else 0
        big = [name for name in names if len(found[name]) > _SMALL_EVENTS or bytes_of[name] > _SMALL_BYTES]
        if big or held == _PAGES_HELD:
            return {}, big or names


class Present:
    """What a stream of the target holds already, read alongside the source, so that only the rest is written.

    Both are read in the order of time, so what can be in the target of an event's time has been read when it is
    looked for; events that were written out of order stay in mind until they are matched.
    """

    def __init__(self, source: Iterator[Page], skip: int = 0) -> None:
        """`skip`: events at its begin that are accounted for already."""
        self._source = source
        self._skip = skip
        self._unmatched: Counter[tuple[int, str]] = Counter()
        self._last = -1
        self._ended = False

    def absent(self, events: list[Event]) -> list[Event]:
        """Those that the target does not hold, in their order."""
        missing = []
        for event in events:
            at = event["timestamp"]
            while not self._ended and self._last <= at:
                self._read()
            key = (at, event["message"])
            if self._unmatched[key] > 0:
                self._unmatched[key] -= 1
                if not self._unmatched[key]:
                    del self._unmatched[key]
            else:
                missing.append(event)
        return missing

    def foreign(self, before: int | None = None) -> int:
        """Events that nothing of the source matched, once everything, or everything before a time, was looked for."""
        while before is None and not self._ended:
            self._read()
        return sum(number for (at, _), number in self._unmatched.items() if before is None or at < before)

    def _read(self) -> None:
        page = next(self._source, None)
        if page is None:
            self._ended = True
            return
        events = page.events[self._skip :]
        self._skip = max(0, self._skip - len(page.events))
        for event in events:
            self._unmatched[event["timestamp"], event["message"]] += 1
            self._last = max(self._last, event["timestamp"])
