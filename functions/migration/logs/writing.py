"""Writes the events of one stream: what CloudWatch takes to the target, the rest to the archive, and counts both."""

from __future__ import annotations

from typing import NamedTuple

from botocore.exceptions import ClientError

from migration import errors
from migration.aws.client_errors import code_of, message_of
from migration.logs.api import LogsApi, StreamMissing
from migration.logs.archive import Archive
from migration.logs.clock import DAY
from migration.logs.counts import NO_TAIL, Counts
from migration.logs.journal import Journal
from migration.logs.packing import SURELY_TAKEN_BYTES, Event, Packer, size

# PutLogEvents takes no events that are older (API reference).
OLDEST_DAYS = 14
# Events that are so close to being too old are sent, and CloudWatch decides.
_MARGIN = 5 * 60 * 1000


class Existed(Exception):
    """The target has a stream that was not known to be there; nothing was written to it."""


class Oldest(NamedTuple):
    """The time (milliseconds) before which events go to the archive without being sent, and why."""

    time: int
    reason: str

    @classmethod
    def of(cls, now_milliseconds: int, retention_days: int | None) -> Oldest:
        """For a group with that retention (None: for ever)."""
        expires = retention_days is not None and retention_days < OLDEST_DAYS
        days = retention_days if retention_days is not None and expires else OLDEST_DAYS
        return cls(now_milliseconds - days * DAY - _MARGIN, "expired" if expires else "too old")


class StreamWriter:
    """One stream of the target."""

    def __init__(
        self,
        api: LogsApi,
        group: str,
        stream: str,
        journal: Journal,
        archive: Archive,
        counts: Counts,
        *,
        oldest: Oldest,
        exists: bool,
    ) -> None:
        self._api = api
        self._group = group
        self._stream = stream
        self._journal = journal
        self.archive = archive
        self.counts = counts
        self._oldest = oldest
        self._exists = exists
        self._packer = Packer()
        self.refused = False
        # Of the events that went to the archive.
        self.kept = NO_TAIL

    def write(self, events: list[Event]) -> None:
        """Takes events in their order; full batches are sent. Raises Existed, and what `LogsApi.put` raises."""
        limit, reason = self._oldest
        if events and min(events[0]["timestamp"], events[-1]["timestamp"]) < limit:
            self._keep([event for event in events if event["timestamp"] < limit], reason)
            events = [event for event in events if event["timestamp"] >= limit]
        for batch, total in self._packer.pack(events):
            self._send(batch, total)

    def flush(self) -> None:
        """Sends what has not filled a batch."""
        for batch, total in self._packer.rest():
            self._send(batch, total)

    def _send(self, batch: list[Event], total: int) -> None:
        self._journal.begin(self._stream)
        if not self._exists:
            if not self._api.create_stream(self._group, self._stream):
                raise Existed
            self._exists = True
        try:
            rejected = self._put(batch)
        except ClientError as error:
            if code_of(error) != "InvalidParameterException":
                raise
            if len(batch) > 1 or size(batch[0]) <= SURELY_TAKEN_BYTES:
                raise errors.LogWriteRefused(
                    f"{self._group} {self._stream}: PutLogEvents refused {len(batch)} events: {message_of(error)}. "
                    "None of them was written; report it with this message."
                ) from error
            self._keep(batch, "too large")
            return
        self._count(batch, total, rejected)

    def _put(self, batch: list[Event]) -> dict[str, int]:
        try:
            return self._api.put(self._group, self._stream, batch, self._journal.hold)
        except StreamMissing:
            # It was listed and has been deleted since. One that has events of ours must not be created again here.
            if self.counts["copied"] or self.counts["present"]:
                raise
            self._api.create_stream(self._group, self._stream)
            return self._api.put(self._group, self._stream, batch, self._journal.hold)

    def _count(self, batch: list[Event], total: int, rejected: dict[str, int]) -> None:
        """Ends are exclusive, the start is inclusive (API reference, RejectedLogEventsInfo)."""
        taken = batch
        if rejected:
            self.refused = True
            expired = rejected.get("expiredLogEventEndIndex", 0)
            begin = max(expired, rejected.get("tooOldLogEventEndIndex", 0))
            end = rejected.get("tooNewLogEventStartIndex", len(batch))
            self._keep(batch[:expired], "expired")
            self._keep(batch[expired:begin], "too old")
            self._keep(batch[end:], "too new")
            taken = batch[begin:end]
            total = sum(map(size, taken))
        self.counts["copied"] += len(taken)
        self.counts["bytes"] += total

    def _keep(self, events: list[Event], reason: str) -> None:
        if events:
            self.archive.add(events, reason)
            self.kept = self.kept.then(events)
            self.counts["archived"] += len(events)
            self.counts["reasons"][reason] = self.counts["reasons"].get(reason, 0) + len(events)
