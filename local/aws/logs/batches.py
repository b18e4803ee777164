"""Log events in batches that PutLogEvents takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from local.aws.logs.service import BATCH_BYTES, BATCH_EVENTS
from local.aws.logs.streams import PER_EVENT

#: Bytes of a message; the service takes more, but 256 KB is what Lambda and Amazon MWAA write.
MAX_MESSAGE = 262_144 - PER_EVENT


def batches(events: Iterable[tuple[int, str]]) -> Iterator[list[dict[str, int | str]]]:
    """Events, as (time in milliseconds, message) in order of time, as the members of PutLogEvents.

    Messages have at most MAX_MESSAGE bytes.
    """
    batch: list[dict[str, int | str]] = []
    total = 0
    for at, message in events:
        size = len(message.encode()) + PER_EVENT
        if len(batch) == BATCH_EVENTS or (batch and total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append({"timestamp": at, "message": message})
        total += size
    if batch:
        yield batch
