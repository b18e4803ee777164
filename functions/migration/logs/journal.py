"""What has become of a batch of streams, in the exchange bucket, and who may write its events.

CloudWatch Logs has no token that makes a repeated write harmless. So one invocation at a time holds a batch, and says
so in the batch's journal: it renews its mark before it writes, at least every `MARK` seconds, with a conditional write
that fails when another has taken the journal over. Whoever takes over waits until the mark is so old that nothing of
its owner can be on its way any more, and that everything it has written can be read.
"""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any, TypedDict

from migration import errors
from migration.exchange import json_object
from migration.exchange.json_object import Tagged
from migration.logs.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.logs.archive import Suspended
    from migration.logs.counts import Counts

# Seconds between two marks of an invocation that writes.
MARK = 5
# The longest that a write is under way: connecting and waiting for the answer (`clients.logs`), and renewing the mark.
UNDER_WAY = 35
# How long what was written may take to be seen by a reader: CloudWatch's reads are consistent after a while only, for
# which no time is documented; seconds are usual. A copy that was interrupted compares counts at its end as well.
SETTLE = 20


class Position(TypedDict):
    """Where a stream continues: the source's token, the counts and the archive until there, and the time of the last
    event with the number of events of that time in the target. `alongside`: the target was read too; `doubtful`: the
    target's events are to be counted in the end.
    """

    token: str
    counts: Counts
    archive: Suspended | None
    tail: tuple[int, int]
    alongside: bool
    doubtful: bool


class Begun(TypedDict):
    """A stream that is not finished. `certain`: nothing was written behind the position."""

    certain: bool
    position: Position | None


class Wait(Exception):
    """The batch may still be written to, or what was written not be seen yet: try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"for {seconds:.0f} s")
        self.seconds = seconds


class Journal:
    """The journal of one batch, held by one invocation. For any number of threads."""

    def __init__(self, s3: S3Client, bucket: str, key: str, clock: Clock | None = None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._clock = clock or Clock()
        self._owner = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._stored: Tagged | None = None
        self._marked = 0.0
        self._taken = False
        self._lost = False
        self._found: dict[str, Begun] = {}
        self.done = False
        # What has become of each finished stream, by its name.
        self.streams: dict[str, dict[str, Any]] = {}
        # The streams that are begun and not finished.
        self.begun: dict[str, Begun] = {}
        self.totals: dict[str, Any] = {}

    def take(self) -> None:
        """Makes this invocation the batch's owner. Raises Wait while an earlier one may not be over."""
        self._stored = json_object.read(self._s3, self._bucket, self._key)
        if self._stored is not None:
            found = self._stored.content
            self.streams, self.begun, self.totals = found["streams"], found["begun"], found["totals"]
            if found["state"] == "done":
                self.done = True
                return
            self._lost = found["state"] == "open"
            self._found = dict(self.begun)
            if self._lost or not all(begun["certain"] for begun in self.begun.values()):
                quiet = (MARK + UNDER_WAY if self._lost else 0) + SETTLE
                left = found["marked"] + quiet - self._clock.now()
                if left > 0:
                    raise Wait(left)
        with self._lock:
            self._mark("open")

    def hold(self) -> None:
        """To be called before each write. Raises LogCopyTakenOver when the batch has another owner."""
        with self._lock:
            if self._clock.now() - self._marked < MARK:
                return
            # Until one was stored so fast that it is still fresh.
            while self._clock.now() - self._marked >= MARK:
                self._mark("open")

    def position(self, stream: str) -> Position | None:
        """Where an earlier invocation left off a stream."""
        found = self._found.get(stream)
        return None if found is None else found["position"]

    def doubtful(self, stream: str) -> bool:
        """Whether an earlier invocation may have written more of a stream than it has noted."""
        return self._lost or (stream in self._found and not self._found[stream]["certain"])

    def begin(self, stream: str) -> None:
        """Notes that a stream is written to from now on."""
        with self._lock:
            if stream not in self.begun or self.begun[stream]["certain"]:
                self.begun[stream] = Begun(certain=False, position=self.position(stream))

    def pause(self, stream: str, position: Position) -> None:
        """Notes where an unfinished stream continues, every write of which was answered."""
        with self._lock:
            self.begun[stream] = Begun(certain=True, position=position)

    def finish(self, stream: str, result: dict[str, Any]) -> None:
        with self._lock:
            self.streams[stream] = result
            self.begun.pop(stream, None)

    def leave(self, state: str, failure: errors.MigrationError | None = None) -> None:
        """Gives the batch up: `suspended`, `done`, or `failed` with what the collecting function then raises."""
        reason = None if failure is None else {"name": type(failure).__name__, "message": str(failure)}
        with self._lock:
            self._mark(state, failure=reason)

    def _mark(self, state: str, **more: Any) -> None:
        if self._taken:
            raise self._taken_over()
        mark = uuid.uuid4().hex
        marked = self._clock.now()
        content = {
            "state": state,
            "owner": self._owner,
            "mark": mark,
            "marked": marked,
            "streams": self.streams,
            "begun": self.begun,
            "totals": self.totals,
            **more,
        }
        written = json_object.write(self._s3, self._bucket, self._key, content, over=self._stored)
        if written is None:
            # The SDK may have repeated a write that was carried out and not answered.
            written = json_object.read(self._s3, self._bucket, self._key)
            if written is None or written.content["mark"] != mark:
                # For good: with the new owner's tag, a second try would succeed.
                self._taken = True
                raise self._taken_over()
        self._stored = written
        self._marked = marked

    def _taken_over(self) -> errors.LogCopyTakenOver:
        return errors.LogCopyTakenOver(
            f"s3://{self._bucket}/{self._key} has another owner now, which continues its streams."
        )
