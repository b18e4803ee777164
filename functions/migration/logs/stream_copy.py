"""One attempt at one stream: page by page, what the target does not hold yet is written, and all of it is counted."""

from __future__ import annotations

from migration.logs.counts import Counts, Tail
from migration.logs.journal import Position
from migration.logs.packing import Event
from migration.logs.reading import Present
from migration.logs.writing import StreamWriter


class StreamCopy:
    """Where an attempt stands. The counts are the writer's."""

    def __init__(self, writer: StreamWriter, present: Present | None, tail: Tail, *, doubtful: bool) -> None:
        """`present`: what the target holds, if that has to be read alongside; `tail`: of what was copied before.

        `doubtful`: an earlier write may have arrived or not.
        """
        self._writer = writer
        self._present = present
        self._tail = tail
        self._was_doubtful = doubtful

    @property
    def counts(self) -> Counts:
        return self._writer.counts

    @property
    def doubtful(self) -> bool:
        """Whether only a count of the target's events can show that it holds each event once."""
        return self._was_doubtful or self._writer.refused

    def take(self, events: list[Event]) -> None:
        """Copies the events of the source's next page."""
        self._count(events)
        missing = events if self._present is None else self._present.absent(events)
        self.counts["present"] += len(events) - len(missing)
        self._writer.write(missing)
        self._tail = self._tail.then(events)

    def suspend(self, token: str) -> Position:
        """Writes what was taken, and returns where another invocation continues: at the source's `token`."""
        self._writer.flush()
        tail, archived = self._tail, self._writer.kept
        if self._present is not None:
            self.counts["foreign"] += self._present.foreign(before=tail.time)
        return Position(
            token=token,
            counts=self.counts,
            archive=self._writer.archive.suspend(),
            tail=(tail.time, tail.alike - (archived.alike if archived.time == tail.time else 0)),
            alongside=self._present is not None,
            doubtful=self.doubtful,
        )

    def end(self) -> None:
        """Writes what was taken, after the last page."""
        self._writer.flush()
        if self._present is not None:
            self.counts["foreign"] += self._present.foreign()

    def close_archive(self) -> str | None:
        """The key of the archive, or None where CloudWatch took every event."""
        return self._writer.archive.close()

    def _count(self, events: list[Event]) -> None:
        if events:
            counts = self.counts
            counts["source"] += len(events)
            first, last = events[0]["timestamp"], events[-1]["timestamp"]
            counts["first"] = first if counts["first"] is None else min(first, counts["first"])
            counts["last"] = last if counts["last"] is None else max(last, counts["last"])
