"""Log groups, their streams and their events, as the service keeps them."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: What an event takes of a page or a batch beside its message, in bytes.
PER_EVENT = 26
PAGE_BYTES = 1_048_576


def size(text: str) -> int:
    """The bytes of a message, as the service counts them."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Stored(NamedTuple):
    """An event. They sort as the API sorts them: by time, then by ingestion, then by their place in the batch."""

    timestamp: int
    sequence: int
    message: str
    ingested: int
    visible: float

    def body(self) -> dict[str, Any]:
        return {"timestamp": self.timestamp, "message": self.message, "ingestionTime": self.ingested}


class Stream:
    """A stream that keeps its events."""

    def __init__(self, created: int) -> None:
        self.created = created
        self.events: list[Stored] = []
        self.ingested = 0

    def add(self, events: Sequence[Stored]) -> None:
        for event in events:
            if self.events and event < self.events[-1]:
                bisect.insort(self.events, event)
            else:
                self.events.append(event)

    def visible(self, start: int, end: int, now: float) -> list[Stored]:
        return [event for event in self.events if start <= event.timestamp < end and event.visible <= now]

    def span(self) -> tuple[int, int] | None:
        return (self.events[0].timestamp, self.events[-1].timestamp) if self.events else None

    def content(self) -> list[tuple[int, str]]:
        return [(event.timestamp, event.message) for event in self.events]


@dataclass
class Group:
    """A log group; its retention in days."""

    retention: int | None = None
    key: str | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    stored_bytes: int = 0


def page_of(events: Sequence[Stored]) -> Iterator[Stored]:
    """As many events as fit into a page; at least one."""
    total = 0
    for number, event in enumerate(events):
        total += size(event.message) + PER_EVENT
        if number and total > PAGE_BYTES:
            return
        yield event
