"""Copies one batch of streams, and continues where an earlier invocation stopped, however it stopped.

What is known of a stream decides how it is copied:

- The copy created it in this invocation: nothing of the source can be in it, so everything is written.
- An earlier invocation left a position, and every write before it was answered: it continues from that position.
- It exists, and nothing else is known (the earlier invocation was killed, or this is a second copy): the target is read
  alongside the source, and what it does not hold is written.

So nothing is written twice and nothing left out, as long as the target can be read as it was written; the journal sees
to that (`journal`), and what was copied after an interruption is counted in the end.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypedDict

from migration import errors
from migration.exchange import layout
from migration.logs.api import LogsApi, OutOfTime, StreamMissing, Unanswered
from migration.logs.archive import Archive
from migration.logs.clock import Clock
from migration.logs.counts import NO_TAIL, Counts, Tail, no_counts
from migration.logs.journal import SETTLE, UNDER_WAY, Journal, Position
from migration.logs.packing import Event
from migration.logs.reading import Page, Present, Window, pages, read_ahead, small_streams
from migration.logs.writing import Existed, Oldest, StreamWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Small streams that are written at the same time, each waiting for its answers, and big ones, of each of which a few
# pages are in memory.
_AT_ONCE = 8
_AT_ONCE_BIG = 4
# Between two checks whether everything that was written can be read.
_LOOK = 2.0


class Batch(TypedDict):
    """An item of the manifest. `together`: streams that one FilterLogEvents reads; 0: each is read by itself.

    `there`: those of the streams that the target had when it was listed.
    """

    index: int
    source: str
    target: str
    retention: int | None
    together: int
    streams: list[str]
    there: list[str]


class Place(TypedDict):
    """Where archives go: `prefix` without a slash at its end."""

    bucket: str
    prefix: str


class BatchCopy:
    """The copying of one batch in one invocation."""

    def __init__(
        self,
        batch: Batch,
        source: LogsApi,
        target: LogsApi,
        journal: Journal,
        s3: S3Client,
        place: Place,
        window: Window,
        *,
        until: float,
        clock: Clock | None = None,
    ) -> None:
        """`until`: when (monotonic) no further stream or page is begun."""
        self._batch = batch
        self._source = source
        self._target = target
        self._journal = journal
        self._s3 = s3
        self._place = place
        self._window = window
        self._until = until
        self._clock = clock or Clock()
        self._oldest = Oldest.of(int(self._clock.now() * 1000), batch["retention"])
        self._there = set(batch["there"])

    def run(self) -> bool:
        """Whether every stream is finished; else the invocation's time was up.

        Small streams and big ones are copied side by side, because they wait for different quotas.
        """
        names = [name for name in self._batch["streams"] if name not in self._journal.streams]
        # Streams with a position are big, whatever the others are.
        big = [name for name in names if self._journal.position(name) or not self._batch["together"]]
        with ThreadPoolExecutor(_AT_ONCE) as for_small, ThreadPoolExecutor(_AT_ONCE_BIG) as for_big:
            copied = self._big(big, for_big)
            try:
                for alone in self._small([name for name in names if name not in set(big)], for_small):
                    copied += self._big(alone, for_big)
            except OutOfTime:
                self._until = float("-inf")
            except BaseException:
                self._until = float("-inf")
                raise
            for one in copied:
                one.result()
        return len(self._journal.streams) == len(self._batch["streams"])

    def _big(self, names: list[str], copiers: ThreadPoolExecutor) -> list[Future[None]]:
        """Begins to copy streams that are read one by one."""
        self._source.expect_readers(len(names))
        return [copiers.submit(self._in_time_alone, name) for name in names]

    def _in_time_alone(self, stream: str) -> None:
        try:
            self._in_time(stream)
        finally:
            self._source.expect_readers(-1)

    def _small(self, names: list[str], copiers: ThreadPoolExecutor) -> Iterator[list[str]]:
        """Copies the streams that can be read together; yields the others. While some are written, more are read."""
        if not names:
            return
        there = {name for name in names if self._is_there(name)}
        writing: list[Future[None]] = []
        for found in small_streams(self._source, self._batch["source"], names, self._window, self._batch["together"]):
            yield found.alone
            present = self._present_in_many([name for name in found.whole if name in there])
            yield [name for name in found.whole if name in there and name not in present]
            for one in writing:
                one.result()
            writing = [
                copiers.submit(self._in_time, name, [Page(events, "")], present.get(name))
                for name, events in found.whole.items()
                if name not in there or name in present
            ]
        for one in writing:
            one.result()

    def _is_there(self, stream: str) -> bool:
        return stream in self._there or stream in self._journal.begun

    def _present_in_many(self, names: list[str]) -> dict[str, Present]:
        """What small streams of the target hold; those that cannot be read together are left out."""
        if not names:
            return {}
        found = small_streams(self._target, self._batch["target"], names, self._window, len(names))
        return {name: Present(iter([Page(events, "")])) for some in found for name, events in some.whole.items()}

    def _in_time(self, stream: str, read: list[Page] | None = None, present: Present | None = None) -> None:
        """Copies one stream if there is time; after a failure there is none any more."""
        try:
            if not self._late():
                self._stream(stream, read, present)
        except OutOfTime:
            return
        except BaseException:
            self._until = float("-inf")
            raise

    def _late(self) -> bool:
        return self._clock.monotonic() > self._until

    def _stream(self, stream: str, read: list[Page] | None, present: Present | None) -> None:
        """Copies one stream to its end, or to a position when the time is up (OutOfTime).

        `read`: all pages of the source's stream, where they have been read; `present`: likewise of the target's.
        """
        doubtful = self._journal.doubtful(stream)
        position = self._journal.position(stream)
        try:
            self._attempt(stream, position, read, present, exists=self._is_there(stream), doubtful=doubtful)
        except Existed:
            # Nothing was written in this attempt.
            self._attempt(stream, None, read, None, exists=True, doubtful=doubtful)
        except Unanswered:
            # It was written, or it was not, or will be yet.
            self._clock.sleep(UNDER_WAY + SETTLE)
            self._attempt(stream, None, read, None, exists=True, doubtful=True)

    def _attempt(
        self,
        stream: str,
        position: Position | None,
        read: list[Page] | None,
        present: Present | None,
        *,
        exists: bool,
        doubtful: bool,
    ) -> None:
        source_group, target_group = self._batch["source"], self._batch["target"]
        counts: Counts = copy.deepcopy(position["counts"]) if position else no_counts()
        tail = Tail(*position["tail"]) if position else NO_TAIL
        if exists and present is None and (position is None or position["alongside"] or doubtful):
            begin = Window(max(tail.time, self._window.start), self._window.end)
            present = Present(_if_there(pages(self._target, target_group, stream, begin)), skip=tail.alike)
        doubtful = doubtful or (position is not None and position["doubtful"])
        key = f"{self._place['prefix']}/{layout.log_archive(source_group, stream)}"
        archive = Archive(self._s3, self._place["bucket"], key, position["archive"] if position else None)
        writer = StreamWriter(
            self._target,
            target_group,
            stream,
            self._journal,
            archive,
            counts,
            oldest=self._oldest,
            exists=exists,
        )
        source: Iterator[Page] = iter(read or ())
        if read is None:
            token = position["token"] if position else None
            source = read_ahead(pages(self._source, source_group, stream, self._window, token))
        ends = _Ends(source)
        for events, following in ends:
            # Also where nothing is written, so that the others know that somebody works.
            self._journal.hold()
            _look_at(counts, events)
            missing = events if present is None else present.absent(events)
            counts["present"] += len(events) - len(missing)
            writer.write(missing)
            tail = tail.then(events)
            if read is None and self._late():
                writer.flush()
                kept = writer.kept.alike if writer.kept.time == tail.time else 0
                if present is not None:
                    counts["foreign"] += present.foreign(before=tail.time)
                self._journal.pause(
                    stream,
                    Position(
                        token=following,
                        counts=counts,
                        archive=archive.suspend(),
                        tail=(tail.time, tail.alike - kept),
                        alongside=present is not None,
                        doubtful=doubtful or writer.refused,
                    ),
                )
                raise OutOfTime
        writer.flush()
        if present is not None:
            counts["foreign"] += present.foreign()
        if (doubtful or writer.refused) and counts["copied"] + counts["present"]:
            self._prove(stream, counts["copied"] + counts["present"] + counts["foreign"])
        self._journal.finish(stream, {**counts, "gone": ends.gone, "archive": archive.close()})

    def _prove(self, stream: str, expected: int) -> None:
        """Compares the count of what can be read in the target; waits while it is not all there yet."""
        group = self._batch["target"]
        until = self._clock.monotonic() + SETTLE
        while True:
            found = sum(len(page.events) for page in pages(self._target, group, stream, self._window))
            if found == expected:
                return
            if found > expected or self._clock.monotonic() > until:
                raise errors.LogsIncomplete(
                    f"{group} {stream} holds {found} events after an interruption, not {expected}. Delete this stream "
                    "and start the copy again: it is then written from the start."
                )
            self._clock.sleep(_LOOK)


class _Ends:
    """Pages up to the end of a stream; a stream that is deleted meanwhile ends there, and is `gone`."""

    def __init__(self, source: Iterator[Page]) -> None:
        self._source = source
        self.gone = False

    def __iter__(self) -> Iterator[Page]:
        try:
            yield from self._source
        except StreamMissing:
            self.gone = True


def _if_there(source: Iterator[Page]) -> Iterator[Page]:
    """No pages for a stream that has been deleted since it was listed."""
    try:
        yield from source
    except StreamMissing:
        return


def _look_at(counts: Counts, events: list[Event]) -> None:
    if events:
        counts["source"] += len(events)
        first, last = events[0]["timestamp"], events[-1]["timestamp"]
        counts["first"] = first if counts["first"] is None else min(first, counts["first"])
        counts["last"] = last if counts["last"] is None else max(last, counts["last"])
