"""Killed at any call, interrupted in mid-stream, repeated as a whole: nothing is lost and nothing is there twice."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import pytest

import copy_log_events
from local.aws.responses import AwsError
from migration import errors
from migration.aws import clients
from migration.logs import archive as archives
from migration.logs import journal, packing, reading

from .conftest import HOUR, SOURCE, TARGET, Content, Copying
from .test_copy import DAY, archive


class Killed(BaseException):
    """The process ends here."""


class Killer:
    """Ends an invocation at its call number `at` of AWS: before it is sent, or when its answer has come."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.after = False
        self.calls = 0
        self._dead = False
        self._operation: str | None = None
        self._emitters: list[Any] = [client.meta.events for client in (clients.s3(), clients.logs("eu-west-1", None))]
        for emitter in self._emitters:
            emitter.register("before-call", self._before)
            emitter.register("after-call", self._after)

    def leave(self) -> None:
        for emitter in self._emitters:
            emitter.unregister("before-call", self._before)
            emitter.unregister("after-call", self._after)

    def arm(self, at: int | None, after: bool = False, operation: str | None = None) -> None:
        """`operation`: only calls of it count."""
        self.at, self.after, self.calls, self._dead, self._operation = at, after, 0, False, operation

    def _before(self, model: Any, **_: Any) -> None:
        if self._dead:
            raise Killed
        if self._operation in (None, model.name):
            self.calls += 1
        if self.at == self.calls and not self.after:
            self._dead = True
            raise Killed

    def _after(self, **_: Any) -> None:
        # What other threads had sent was carried out, but nobody gets the answer.
        if self._dead or (self.at is not None and self.at <= self.calls and self.after):
            self._dead = True
            raise Killed


@pytest.fixture
def killer(copying: Copying) -> Iterator[Killer]:
    killer = Killer()
    yield killer
    killer.leave()


@pytest.fixture
def fine_grained(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 3 events, batches of 2, so that a few events take many calls."""
    copying.service.page_events = 3
    monkeypatch.setattr(packing, "MOST_EVENTS", 2)
    monkeypatch.setattr(reading, "_SMALL_EVENTS", 4)


def fill(copying: Copying) -> None:
    copying.service.groups.clear()
    copying.service.group(SOURCE)
    copying.fill("one", 1)
    copying.fill("equal", 3, step=0)
    copying.fill("big", 9, step=0)
    copying.fill("old", 2, at=copying.recent - 40 * DAY)
    copying.fill("both", 4, at=copying.recent - 16 * DAY, step=4 * DAY)


def expected(copying: Copying) -> tuple[Content, Content]:
    """What the target and what the archive must hold."""
    limit = copying.recent - 14 * DAY
    content = copying.source
    taken = {name: [event for event in events if event[0] >= limit] for name, events in content.items()}
    kept = {name: [event for event in events if event[0] < limit] for name, events in content.items()}
    return {n: e for n, e in taken.items() if e}, {n: e for n, e in kept.items() if e}


def check(copying: Copying, report: dict[str, Any]) -> None:
    target, kept = expected(copying)
    assert copying.target == target
    assert {n: [(e["timestamp"], e["message"]) for e in events] for n, events in archive(copying).items()} == kept
    assert report["events_lost"] == 0
    assert report["events_source"] == sum(map(len, copying.source.values()))


@pytest.mark.usefixtures("fine_grained")
@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after it is answered"])
def test_killed_at_every_call(copying: Copying, killer: Killer, after: bool) -> None:
    # What is written can be read seconds later only.
    copying.service.late = 10
    fill(copying)
    copying.list_streams("whole", days=None)
    killer.arm(None)
    copying.copy()
    calls = killer.calls
    assert calls > 30
    for at in range(1, calls + 1):
        fill(copying)
        killer.arm(None)
        copying.list_streams(f"killed-{at}", days=None)
        killer.arm(at, after)
        with contextlib.suppress(Killed):
            copying.copy()
        killer.arm(None)
        copying.copy()
        check(copying, copying.collect())


@pytest.mark.usefixtures("fine_grained")
@pytest.mark.parametrize("second", range(1, 30, 4))
def test_killed_twice(copying: Copying, killer: Killer, second: int) -> None:
    fill(copying)
    copying.list_streams(days=None)
    for at in (20, second):
        killer.arm(at, after=True)
        with contextlib.suppress(Killed):
            copying.copy()
    killer.arm(None)
    copying.copy()
    check(copying, copying.collect())


@pytest.fixture
def slow_pages(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each page takes 20 seconds, of 50 that an invocation has. The groups of the pages that were read."""
    monkeypatch.setattr(copy_log_events, "SECONDS", 50)
    read = []

    def turn(operation: str, request: dict[str, Any]) -> None:
        if operation == "GetLogEvents":
            copying.clock.sleep(20)
            read.append(request["logGroupName"])

    copying.service.trouble = turn
    return read


@pytest.mark.usefixtures("fine_grained")
def test_time_is_up_in_mid_stream(copying: Copying, slow_pages: list[str]) -> None:
    fill(copying)
    copying.fill("big", 30, at=copying.recent + 1, step=0)
    copying.list_streams(days=None)
    copying.copy()
    # 17 pages; one is on its way when the time is up, and is read again. The target is not read: its content is known.
    assert len(slow_pages) <= 2 * 17
    assert set(slow_pages) == {SOURCE}
    check(copying, copying.collect())


@pytest.mark.usefixtures("fine_grained", "slow_pages")
@pytest.mark.parametrize("at", range(2, 40, 3))
def test_killed_after_time_was_up(copying: Copying, killer: Killer, at: int) -> None:
    copying.service.late = 10
    fill(copying)
    copying.fill("big", 20, at=copying.recent + 1, step=0)
    copying.list_streams(days=None)
    (batch,) = copying.batches()
    assert not copying._call(copy_log_events, copy=copying.made["copy"], batch=batch)["ready"]
    killer.arm(at, after=True)
    with contextlib.suppress(Killed):
        copying.copy()
    killer.arm(None)
    copying.copy()
    check(copying, copying.collect())


@pytest.mark.usefixtures("fine_grained", "slow_pages")
def test_an_archive_goes_on_in_the_next_invocation(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    # Parts of a few kilobytes instead of S3's five megabytes.
    monkeypatch.setattr(archives, "_PART", 6000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 6000)
    copying.service.group(SOURCE)
    copying.service.page_events = 100
    noise = random.Random(4)
    texts = ["".join(noise.choices("abcdefghijklmnop", k=90)) for _ in range(900)]
    begin = copying.recent - 60 * DAY
    copying.service.fill(SOURCE, "old", [(begin + i, text) for i, text in enumerate(texts)])
    copying.list_streams(days=None)
    copying.copy()
    copying.collect()
    assert [event["message"] for event in archive(copying)["old"]] == texts


def test_a_second_copy_writes_nothing(copying: Copying) -> None:
    for number in range(5):
        copying.fill(f"s{number}", 3)
    copying.fill("big", 45_000, step=1)
    copying.run("first")
    written = copying.service.calls["PutLogEvents"]
    report = copying.run("second")
    assert copying.service.calls["PutLogEvents"] == written
    assert copying.service.calls["CreateLogStream"] == 6
    assert copying.target == copying.source
    assert report["events_there_before"] == report["events_copied"] == 45_015


def test_the_same_execution_again_reads_nothing(copying: Copying) -> None:
    copying.fill("s", 3)
    first = copying.run()
    calls = dict(copying.service.calls)
    assert copying.run()["events_copied"] == first["events_copied"]
    assert dict(copying.service.calls) == calls


def test_what_is_new_since_the_first_copy(copying: Copying) -> None:
    copying.fill("s", 3)
    copying.run("first")
    copying.fill("s", 2, at=copying.recent + HOUR // 2)
    copying.fill("t", 2)
    report = copying.run("second")
    assert copying.target == copying.source
    assert (report["events_copied"], report["events_there_before"]) == (7, 3)


def test_events_of_the_target_stay(copying: Copying) -> None:
    copying.fill("s", 3)
    copying.service.fill(TARGET, "s", [(copying.recent + 1, "of the target"), (copying.recent, "line 0")])
    report = copying.run()
    assert sorted(copying.target["s"]) == sorted([*copying.source["s"], (copying.recent + 1, "of the target")])
    assert report["events_of_the_target"] == 1


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_write_without_an_answer(copying: Copying, carried_out: bool) -> None:
    """A server error says nothing of whether the events were written."""
    copying.fill("s", 3)
    copying.list_streams()
    copying.service.late = 10
    failed = False

    def fail(operation: str, request: dict[str, Any]) -> None:
        nonlocal failed
        if operation == "PutLogEvents" and not failed:
            failed = True
            if carried_out:
                copying.service.call(operation, request)
            raise AwsError("ServiceUnavailableException", "try later", 503)

    copying.service.trouble = fail
    copying.copy()
    copying.collect()
    assert copying.target == copying.source


def test_no_answer_is_tried_again_by_the_state_machine(copying: Copying) -> None:
    copying.fill("s", 3)
    copying.list_streams()

    def fail(operation: str, request: dict[str, Any]) -> None:
        if operation == "PutLogEvents":
            raise AwsError("ServiceUnavailableException", "try later", 503)

    copying.service.trouble = fail
    with pytest.raises(errors.TransientFault, match="no answer"):
        copying.copy()
    copying.service.trouble = None
    copying.copy()
    copying.collect()
    assert copying.target == copying.source


@pytest.mark.parametrize("operation", ["FilterLogEvents", "PutLogEvents"])
def test_a_session_that_ends_too_soon(copying: Copying, operation: str) -> None:
    """The next try of the state machine begins a new one."""
    for number in range(3):
        copying.fill(f"s{number}", 2)
    copying.list_streams()
    client = clients.logs("eu-west-1")
    expired: list[str] = []

    def fail(called: str, request: dict[str, Any]) -> None:
        if called == operation and not expired:
            expired.append(called)
            raise AwsError("ExpiredTokenException", "The security token included in the request is expired")

    copying.service.trouble = fail
    with pytest.raises(errors.TransientFault, match=f"logs:{operation} on .* expired.* a new session"):
        copying.copy()
    assert clients.logs("eu-west-1") is not client
    copying.copy()
    copying.collect()
    assert copying.target == copying.source


def test_late_beyond_measure_is_no_silent_duplicate(copying: Copying, killer: Killer) -> None:
    copying.fill("s", 3)
    copying.service.late = 1000
    copying.list_streams()
    killer.arm(1, after=True, operation="PutLogEvents")
    with pytest.raises(Killed):
        copying.copy()
    assert copying.service.calls["PutLogEvents"] == 1
    killer.arm(None)
    with pytest.raises(errors.LogsIncomplete, match="holds 0 events after an interruption, not 3"):
        copying.copy()


def test_who_lost_the_batch_stops_writing(copying: Copying) -> None:
    """An invocation that everybody thinks dead, because its connection broke, and that still runs."""
    for number in range(3):
        copying.fill(f"s{number}", 2)
    copying.list_streams()
    (batch,) = copying.batches()
    taken = False

    def overtake(operation: str, request: dict[str, Any]) -> None:
        nonlocal taken
        if operation == "FilterLogEvents" and not taken:
            taken = True
            copying.clock.sleep(journal.MARK + journal.UNDER_WAY + journal.SETTLE)
            other = journal.Journal(
                clients.s3(), "exchange", f"{copying.made['copy']['prefix']}/logs/batches/000000.json", copying.clock
            )
            other.take()

    copying.service.trouble = overtake
    with pytest.raises(errors.LogCopyTakenOver):
        copying._call(copy_log_events, copy=copying.made["copy"], batch=batch)
    assert copying.service.calls["PutLogEvents"] == 0


def test_a_lost_stream_fails_the_copy(copying: Copying) -> None:
    copying.fill("s", 3)
    copying.list_streams()
    with pytest.raises(errors.LogsIncomplete, match="airflow-old-Task s was not finished"):
        copying.collect({"cause": "States.Timeout"})
    assert copying.report()["events_copied"] == 0
