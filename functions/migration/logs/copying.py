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
from dataclasses import dataclass, replace
from typing import TypedDict

from migration import errors
from migration.logs.api import LogsApi, OutOfTime, StreamMissing, Unanswered
from migration.logs.archive import Archives
from migration.logs.clock import Clock
from migration.logs.counts import NO_TAIL, Tail, no_counts
from migration.logs.journal import SETTLE, UNDER_WAY, Journal, Position
from migration.logs.reading import Page, Present, Window, pages, read_ahead, small_streams
from migration.logs.stream_copy import StreamCopy
from migration.logs.writing import Existed, Oldest, StreamWriter

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


@dataclass(frozen=True)
class _Attempt:
    """An attempt at a stream, from its `position` on; None: from the start.

    `read`: all pages of the source's stream, where they have been read; `present`: likewise of the target's.
    `exists`: the target has the stream. `doubtful`: an earlier write may have arrived or not.
    """

    stream: str
    position: Position | None
    read: list[Page] | None
    present: Present | None
    exists: bool
    doubtful: bool


class BatchCopy:
    """The copying of one batch in one invocation."""

    def __init__(
        self,
        batch: Batch,
        source: LogsApi,
        target: LogsApi,
        journal: Journal,
        archives: Archives,
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
        self._archives = archives
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
        """Copies one stream to its end, or to a position when the time is up (OutOfTime)."""
        first = _Attempt(
            stream,
            self._journal.position(stream),
            read,
            present,
            exists=self._is_there(stream),
            doubtful=self._journal.doubtful(stream),
        )
        try:
            self._attempt(first)
        except Existed:
            # Nothing was written in this attempt.
            self._attempt(replace(first, position=None, present=None, exists=True))
        except Unanswered:
            # It was written, or it was not, or will be yet.
            self._clock.sleep(UNDER_WAY + SETTLE)
            self._attempt(replace(first, position=None, present=None, exists=True, doubtful=True))

    def _attempt(self, attempt: _Attempt) -> None:
        stream, copied = attempt.stream, self._begin(attempt)
        ends = _Ends(self._pages(attempt))
        for events, following in ends:
            # Also where nothing is written, so that the others know that somebody works.
            self._journal.hold()
            copied.take(events)
            if attempt.read is None and self._late():
                self._journal.pause(stream, copied.suspend(following))
                raise OutOfTime
        copied.end()
        counts = copied.counts
        if copied.doubtful and counts["copied"] + counts["present"]:
            self._prove(stream, counts["copied"] + counts["present"] + counts["foreign"])
        self._journal.finish(stream, {**counts, "gone": ends.gone, "archive": copied.close_archive()})

    def _begin(self, attempt: _Attempt) -> StreamCopy:
        """The stream as the attempt finds it: with the counts, the tail and the archive of its position."""
        position, target_group = attempt.position, self._batch["target"]
        tail = Tail(*position["tail"]) if position else NO_TAIL
        present, is_known = attempt.present, position is not None and not position["alongside"]
        if attempt.exists and present is None and (not is_known or attempt.doubtful):
            begin = Window(max(tail.time, self._window.start), self._window.end)
            present = Present(_if_there(pages(self._target, target_group, attempt.stream, begin)), skip=tail.alike)
        writer = StreamWriter(
            self._target,
            target_group,
            attempt.stream,
            self._journal,
            self._archives.open(self._batch["source"], attempt.stream, position["archive"] if position else None),
            copy.deepcopy(position["counts"]) if position else no_counts(),
            oldest=self._oldest,
            exists=attempt.exists,
        )
        doubtful = attempt.doubtful or (position is not None and position["doubtful"])
        return StreamCopy(writer, present, tail, doubtful=doubtful)

    def _pages(self, attempt: _Attempt) -> Iterator[Page]:
        """The source's pages from the attempt's position on."""
        if attempt.read is not None:
            return iter(attempt.read)
        token = attempt.position["token"] if attempt.position else None
        return read_ahead(pages(self._source, self._batch["source"], attempt.stream, self._window, token))

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
