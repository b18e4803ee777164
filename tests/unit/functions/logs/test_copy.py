"""Everything that is in the source is in the target or in the archive, once, whatever it looks like."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

import copy_log_events
import list_log_streams
from local.aws.responses import AwsError
from migration import errors
from migration.aws import clients

from .conftest import HOUR, SOURCE, TARGET, Copying

DAY = 24 * HOUR


def archive(copying: Copying) -> dict[str, list[dict[str, Any]]]:
    """The archived events of each stream, through the index."""
    place = copying.report()["archive"]
    if place is None:
        return {}
    bucket, _, key = place.removeprefix("s3://").partition("/")

    def read(key: str) -> bytes:
        return clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read()

    return {
        entry["stream"]: [json.loads(line) for line in gzip.decompress(read(entry["key"])).decode().splitlines()]
        for entry in json.loads(read(key))
    }


def test_many_small_streams(copying: Copying) -> None:
    for number in range(230):
        copying.fill(f"dag_id=d/run_id=r/task_id=t{number}/attempt=1.log", 1 + number % 7)
    report = copying.run()
    assert copying.target == copying.source
    assert (report["streams"], report["events_lost"], report["events_archived"]) == (230, 0, 0)
    assert report["events_source"] == report["events_copied"] == sum(map(len, copying.source.values()))
    # A batch for each worker, read at once, and each stream written once.
    assert copying.service.calls["FilterLogEvents"] == 5
    assert copying.service.calls["GetLogEvents"] == 0
    assert copying.service.calls["CreateLogStream"] == copying.service.calls["PutLogEvents"] == 230


def test_a_big_stream_page_by_page(copying: Copying) -> None:
    copying.fill("big", 45_000, step=10)
    copying.fill("small", 3)
    report = copying.run()
    assert copying.target == copying.source
    assert report["events_copied"] == 45_003
    assert copying.service.calls["PutLogEvents"] <= 7


def test_streams_that_are_known_to_be_big_are_read_alone(copying: Copying) -> None:
    for name in "abc":
        copying.fill(name, 600, step=1, text="x" * 10_000 + "{}")
    copying.run()
    assert copying.target == copying.source
    assert copying.service.calls["FilterLogEvents"] == 0


def test_empty_pages_with_more_behind(copying: Copying) -> None:
    copying.service.empty_pages = True
    copying.fill("big", 45_000, step=1)
    copying.fill("small", 3)
    copying.run()
    assert copying.target == copying.source


def test_equal_timestamps_keep_their_order(copying: Copying) -> None:
    copying.fill("small", 50, step=0)
    copying.fill("big", 25_000, step=0)
    copying.run()
    assert copying.target == copying.source


def test_out_of_order_events(copying: Copying) -> None:
    times = [5, 3, 9, 1, 9, 9, 2]
    copying.service.fill(SOURCE, "s", [(copying.recent + at, f"m{i}") for i, at in enumerate(times)])
    copying.run()
    assert copying.target == copying.source


@pytest.mark.parametrize("days", [14, None])
def test_nothing_to_copy(copying: Copying, days: int | None) -> None:
    copying.service.group(SOURCE).streams["empty"] = copying.service.new_stream()
    report = copying.run(days=days)
    assert (report["streams"], report["events_source"], report["events_lost"]) == (0, 0, 0)
    assert copying.target == {}


def test_only_events_in_range(copying: Copying) -> None:
    copying.fill("old", 5, at=copying.recent - 5 * DAY)
    copying.fill("both", 2, at=copying.recent - 3 * DAY, step=3 * DAY)
    report = copying.run(days=1)
    assert list(copying.target) == ["both"]
    assert copying.target["both"] == copying.source["both"][1:]
    assert report["events_source"] == 1


def test_what_cloudwatch_refuses_is_archived(copying: Copying) -> None:
    now = copying.recent + HOUR
    copying.fill("old", 5, at=now - 60 * DAY, text="päst {}")
    copying.fill("both", 40, at=now - 20 * DAY, step=DAY // 2)
    copying.fill("new", 2, at=now - 1000, step=1)
    report = copying.run(days=None)
    # A stream whose events are all too old is not made.
    assert set(copying.target) == {"both", "new"}
    kept = archive(copying)
    assert [event["message"] for event in kept["old"]] == [f"päst {i}" for i in range(5)]
    assert {event["reason"] for event in kept["old"]} == {"too old"}
    assert [(event["timestamp"], event["message"]) for event in kept["both"]] + copying.target["both"] == (
        copying.source["both"]
    )
    assert report["events_archived"] == 5 + len(kept["both"])
    assert report["events_source"] == report["events_copied"] + report["events_archived"]
    assert report["archived_because"] == {"too old": report["events_archived"]}


def test_a_retention_of_one_day_in_the_target(copying: Copying) -> None:
    copying.service.group(TARGET, retention=1)
    copying.fill("s", 7, at=copying.recent - 3 * DAY, step=DAY // 2)
    report = copying.run()
    assert [event["reason"] for event in archive(copying)["s"]] == ["expired"] * report["events_archived"]
    assert report["events_archived"] + len(copying.target["s"]) == 7
    assert len(copying.target["s"]) == 2


def test_what_is_refused_after_it_was_sent_is_archived_too(copying: Copying) -> None:
    # Not old enough to be archived unsent, too old when it arrives; and too new.
    limit = copying.recent + HOUR - 14 * DAY
    times = [limit - 200_000, limit - 100_000, limit + 3_600_000]
    copying.service.fill(SOURCE, "old", [(at, f"m{at}") for at in times])
    copying.list_streams(days=None)
    # The copy ends before its own begin, so only a clock that is wrong can bring events from beyond it.
    copying.made["copy"]["end"] += 5 * HOUR
    ahead = copying.recent + 4 * HOUR
    copying.service.fill(SOURCE, "old", [(ahead, "ahead")])
    copying.copy()
    report = copying.collect()
    assert [event["reason"] for event in archive(copying)["old"]] == ["too old", "too old", "too new"]
    assert copying.target["old"] == [(times[2], f"m{times[2]}")]
    assert (report["events_source"], report["events_copied"], report["events_archived"]) == (4, 1, 3)


def test_events_of_a_megabyte(copying: Copying) -> None:
    largest = 1_048_576 - 26
    texts = ["a" * largest, "b", "ä" * (largest // 2), "c", "😀" * (largest // 4)]
    copying.service.fill(SOURCE, "s", [(copying.recent + i, text) for i, text in enumerate(texts)])
    report = copying.run()
    assert copying.target == copying.source
    assert report["events_archived"] == 0


def test_events_too_large_for_the_region(copying: Copying) -> None:
    copying.service.largest_event = 262_144
    texts = ["a", "b" * 300_000, "c", "d" * 262_118, "e" * 262_119]
    copying.service.fill(SOURCE, "s", [(copying.recent + i, text) for i, text in enumerate(texts)])
    report = copying.run()
    assert [text for _, text in copying.target["s"]] == ["a", "c", "d" * 262_118]
    assert [event["message"] for event in archive(copying)["s"]] == ["b" * 300_000, "e" * 262_119]
    assert report["archived_because"] == {"too large": 2}


@pytest.mark.parametrize("letter", ["x", "ä", "€", "😀"])
def test_batches_are_full_to_the_byte(copying: Copying, letter: str) -> None:
    # 41 events of 25,575 bytes and their 26 each are 1,048,576 in all with a last one that is longer.
    width = len(letter.encode())
    texts = [letter * (25_548 // width)] * 41
    copying.service.fill(SOURCE, "s", [(copying.recent + i, text) for i, text in enumerate(texts)])
    copying.run()
    assert copying.target == copying.source
    assert copying.service.calls["PutLogEvents"] == 1


def test_half_a_surrogate_pair_survives(copying: Copying) -> None:
    copying.service.fill(SOURCE, "s", [(copying.recent, "broken \ud83d text")])
    copying.run()
    assert copying.target == copying.source


def test_days_apart(copying: Copying) -> None:
    copying.fill("s", 30, at=copying.recent - 10 * DAY, step=DAY // 3)
    copying.run()
    assert copying.target == copying.source


def test_a_stream_that_grows_while_it_is_read(copying: Copying) -> None:
    copying.fill("s", 25_000, step=1)
    before = list(copying.source["s"])
    copying.list_streams()
    late = int(copying.clock.now() * 1000) + 5000

    def grow(operation: str, request: dict[str, Any]) -> None:
        if operation in ("GetLogEvents", "FilterLogEvents"):
            copying.service.fill(SOURCE, "s", [(late, "later")])

    copying.service.trouble = grow
    copying.copy()
    report = copying.collect()
    assert copying.target["s"] == before
    assert report["events_source"] == 25_000


@pytest.mark.parametrize("number", [3, 25_000])
def test_a_stream_deleted_meanwhile(copying: Copying, number: int) -> None:
    copying.fill("gone", number, step=1)
    copying.fill("stays", 3)
    reads = 0

    def delete(operation: str, request: dict[str, Any]) -> None:
        nonlocal reads
        if operation in ("GetLogEvents", "FilterLogEvents"):
            reads += 1
            if reads == (1 if number == 3 else 6):
                copying.service.group(SOURCE).streams.pop("gone", None)

    copying.list_streams()
    copying.service.trouble = delete
    copying.copy()
    report = copying.collect()
    assert copying.target["stays"] == copying.source["stays"]
    assert report["streams_deleted_meanwhile"] == 1
    assert report["events_lost"] == 0


def test_a_target_stream_deleted_before_it_is_written(copying: Copying) -> None:
    copying.fill("s", 3)
    copying.service.fill(TARGET, "s", [(copying.recent, "line 0")])
    copying.list_streams()
    del copying.service.group(TARGET).streams["s"]
    copying.copy()
    copying.collect()
    assert copying.target == copying.source


def test_a_missing_source_group(copying: Copying) -> None:
    del copying.service.groups[SOURCE]
    with pytest.raises(errors.LogGroupNotFound, match="airflow-old-Task"):
        copying.list_streams()


@pytest.mark.parametrize(
    ("operation", "of"),
    [("DescribeLogStreams", "old"), ("FilterLogEvents", "old"), ("CreateLogStream", "new"), ("PutLogEvents", "new")],
)
def test_no_right(copying: Copying, operation: str, of: str) -> None:
    copying.fill("s", 3)

    def deny(called: str, request: dict[str, Any]) -> None:
        if called == operation and f"-{of}-" in request["logGroupName"]:
            raise AwsError("AccessDeniedException", f"User: u is not authorized to perform: logs:{called}")

    copying.service.trouble = deny
    with pytest.raises(errors.LogAccessDenied, match=f"logs:{operation} on airflow-{of}-Task"):
        copying.run()
    if copying.made:
        # The failure of a batch is the failure of the copy, whatever the state machine caught.
        with pytest.raises(errors.LogAccessDenied, match=operation):
            copying.collect({"cause": "The specified tolerated failure threshold was exceeded"})


def test_a_key_that_may_not_be_used(copying: Copying) -> None:
    copying.service.group(SOURCE).key = "arn:aws:kms:eu-west-1:123456789012:key/k"

    def refuse(operation: str, request: dict[str, Any]) -> None:
        if operation == "CreateLogGroup":
            raise AwsError(
                "InvalidParameterException", "The specified KMS key does not exist or is not allowed to be used"
            )

    copying.service.trouble = refuse
    with pytest.raises(errors.LogKeyRefused, match="key/k"):
        copying.list_streams()


def test_a_target_group_whose_key_is_refused(copying: Copying) -> None:
    copying.fill("s", 3)

    def refuse(operation: str, request: dict[str, Any]) -> None:
        if operation == "PutLogEvents":
            raise AwsError("AccessDeniedException", "The ciphertext refers to a key that is disabled")

    copying.service.trouble = refuse
    with pytest.raises(errors.LogAccessDenied, match="key that is disabled"):
        copying.run()


def test_a_new_group_is_like_the_sources(copying: Copying) -> None:
    source = copying.service.group(SOURCE)
    source.retention, source.key = 30, "arn:aws:kms:eu-west-1:123456789012:key/k"
    copying.run()
    target = copying.service.groups[TARGET]
    assert (target.retention, target.key) == (30, source.key)


def test_a_group_of_the_targets_own_stays_as_it_is(copying: Copying) -> None:
    copying.service.group(SOURCE).retention = 30
    copying.service.group(TARGET, retention=90, key="own")
    copying.run()
    target = copying.service.groups[TARGET]
    assert (target.retention, target.key) == (90, "own")


def test_throttled_for_a_minute(copying: Copying) -> None:
    for number in range(3):
        copying.fill(f"s{number}", 5)
    copying.list_streams()
    until = copying.clock.now() + 60

    def throttle(operation: str, request: dict[str, Any]) -> None:
        if copying.clock.now() < until:
            raise AwsError("ThrottlingException", "Rate exceeded")

    copying.service.trouble = throttle
    copying.copy()
    report = copying.collect()
    assert copying.target == copying.source
    # Longer and longer pauses, so that a minute takes few tries.
    assert 5 <= report["throttles"] <= 20


@pytest.mark.parametrize("operation", ["FilterLogEvents", "PutLogEvents"])
def test_throttled_until_the_time_is_up(copying: Copying, operation: str) -> None:
    """The next invocation goes on; the throttles of the first one count."""
    for number in range(3):
        copying.fill(f"s{number}", 5)
    copying.list_streams()
    until = copying.clock.now() + 900

    def throttle(called: str, request: dict[str, Any]) -> None:
        if called == operation and copying.clock.now() < until:
            raise AwsError("ThrottlingException", "Rate exceeded")

    copying.service.trouble = throttle
    (batch,) = copying.batches()
    assert not copying._call(copy_log_events, copy=copying.made["copy"], batch=batch)["ready"]
    copying.copy()
    report = copying.collect()
    assert copying.target == copying.source
    assert report["throttles"] > 50


def test_one_id_is_one_copy(copying: Copying) -> None:
    copying.fill("s", 1)
    given = {"source": {"environment": "old"}, "target": {"environment": "new"}, "copyId": "my-copy"}
    for execution in ("one", "two"):
        answer = copying._call(list_log_streams, execution=execution, input=given, progress=None)
        assert answer["manifest"] == "migrations/my-copy/1/logs/manifest.json"
    other = {**given, "logs": {"groups": ["Worker"]}}
    with pytest.raises(errors.InputChanged, match="my-copy"):
        copying._call(list_log_streams, execution="three", input=other, progress=None)


def test_other_groups_on_request(copying: Copying) -> None:
    for group in ("Task", "Scheduler"):
        copying.service.fill(f"airflow-old-{group}", "s", [(copying.recent, group)])
    copying.run(groups=["Task", "Scheduler"])
    assert copying.target["s"] == [(copying.recent, "Task")]
    assert copying.service.content("airflow-new-Scheduler") == {"s": [(copying.recent, "Scheduler")]}


def test_only_some_dags(copying: Copying) -> None:
    for stream in ("dag_id=a/run_id=r/task_id=t/attempt=1.log", "a/t/2024-01-01T00_00_00+00_00/1.log", "ab/t/x/1.log"):
        copying.fill(stream, 1)
    copying.run(dags="a")
    assert len(copying.target) == 2
    assert "ab/t/x/1.log" not in copying.target


def test_a_listing_in_many_invocations(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(180):
        copying.fill(f"s{number}", 1)
    monkeypatch.setattr(list_log_streams, "SECONDS", 0.02)
    copying.run()
    assert copying.target == copying.source


def test_more_streams_than_one_page(copying: Copying) -> None:
    for number in range(120):
        copying.fill(f"s{number}", 1)
        copying.service.fill(TARGET, f"t{number}", [(copying.recent, "own")])
    copying.service.fill(TARGET, "s7", [(copying.recent, "line 0")])
    copying.list_streams()
    there = [(batch["streams"], batch["there"]) for batch in copying.batches()]
    assert sorted(name for streams, _ in there for name in streams) == sorted(f"s{number}" for number in range(120))
    assert [names for _, names in there if names] == [["s7"]]
