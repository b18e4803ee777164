"""Cuts events into batches that PutLogEvents takes, each as large as it may be (API reference, PutLogEvents)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

# An event as the API has it: `timestamp` in milliseconds, `message`, and what it adds when it is read.
Event = dict[str, Any]

MOST_BYTES = 1_048_576
MOST_EVENTS = 10_000
BYTES_PER_EVENT = 26
LONGEST_MILLISECONDS = 24 * 60 * 60 * 1000
# The largest event of older regions. A larger one travels alone, so that its refusal says nothing of others.
SURELY_TAKEN_BYTES = 262_144


def size(event: Event) -> int:
    """Bytes of an event as CloudWatch counts them."""
    message: str = event["message"]
    text = len(message) if message.isascii() else len(message.encode("utf-8", "surrogatepass"))
    return text + BYTES_PER_EVENT


class Packer:
    """Collects the events of one stream, in their order, and gives out each batch when it is full."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._bytes = 0
        self._span = (0, 0)

    def pack(self, events: Iterable[Event]) -> Iterator[tuple[list[Event], int]]:
        """Adds events; yields full batches with their bytes.

        An event that is older than the one before it begins a new batch: within a batch the order is chronological,
        between batches it is that of the source.
        """
        held, total, (first, last) = self._events, self._bytes, self._span
        for event in events:
            at = event["timestamp"]
            more = size(event)
            if held and (
                total + more > MOST_BYTES
                or len(held) == MOST_EVENTS
                or not last <= at < first + LONGEST_MILLISECONDS
                or more > SURELY_TAKEN_BYTES
                or (total > SURELY_TAKEN_BYTES and len(held) == 1)
            ):
                yield held, total
                held, total = [], 0
            if not held:
                first = at
            held.append(event)
            total += more
            last = at
        self._events, self._bytes, self._span = held, total, (first, last)

    def rest(self) -> Iterator[tuple[list[Event], int]]:
        """What has not filled a batch, if anything."""
        if self._events:
            held, total = self._events, self._bytes
            self._events, self._bytes = [], 0
            yield held, total
