"""What becomes of a stream's events, counted, and where a part of them ends."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from migration.logs.packing import Event


class Counts(TypedDict):
    """Events of a stream by what became of them, and `bytes` as CloudWatch counts those written.

    `present` were in the target already, `foreign` are in the target and not in the source. `first` and `last` are the
    times of events of the source, in milliseconds.
    """

    source: int
    copied: int
    present: int
    archived: int
    foreign: int
    bytes: int
    reasons: dict[str, int]
    first: int | None
    last: int | None


def no_counts() -> Counts:
    return Counts(source=0, copied=0, present=0, archived=0, foreign=0, bytes=0, reasons={}, first=None, last=None)


class Tail(NamedTuple):
    """The time of the last of some events, and how many of them are of that time."""

    time: int
    alike: int

    def then(self, events: list[Event]) -> Tail:
        """The tail when these events follow."""
        if not events:
            return self
        at, alike = events[-1]["timestamp"], 0
        for event in reversed(events):
            if event["timestamp"] != at:
                break
            alike += 1
        return Tail(at, alike + (self.alike if at == self.time and alike == len(events) else 0))


NO_TAIL = Tail(0, 0)
