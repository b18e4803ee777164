"""The parts of a copy by themselves: batches, pace, selection, sizes."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.logs.service import LogService
from migration import errors
from migration.aws import clients
from migration.logs import listing, packing, quotas, request
from migration.logs.copying import Batch
from migration.logs.pacing import Pacer
from migration.logs.packing import Packer, size
from migration.logs.selection import Selection, failed_of

from .conftest import TurnedClock

DAY = 24 * 60 * 60 * 1000
QUOTAS = {"GetLogEvents": 25, "FilterLogEvents": 5, "DescribeLogStreams": 25, "CreateLogStream": 50, "PutLogEvents": 10}


def packed(events: list[dict[str, Any]]) -> list[tuple[list[dict[str, Any]], int]]:
    packer = Packer()
    return [*packer.pack(events), *packer.rest()]


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * DAY), st.sampled_from(["", "ä", "😀" * 70_000, "x" * 262_119, "y" * 1_048_550]))
    )
)
def test_every_batch_is_legal_and_nothing_is_left_out(drawn: list[tuple[int, str]]) -> None:
    events = [{"timestamp": at, "message": f"{text}"} for at, text in drawn]
    found = packed(events)
    assert [event for batch, _ in found for event in batch] == events
    for batch, total in found:
        assert total == sum(map(size, batch)) <= packing.MOST_BYTES
        times = [event["timestamp"] for event in batch]
        assert times == sorted(times)
        assert times[-1] - times[0] < DAY
        assert len(batch) == 1 or max(map(size, batch)) <= packing.SURELY_TAKEN_BYTES


def test_batches_have_as_many_events_as_they_may() -> None:
    found = packed([{"timestamp": 1, "message": "x"}] * 25_000)
    assert [len(batch) for batch, _ in found] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize(("text", "expected"), [("abc", 29), ("äb", 29), ("\ud83d", 29), ("😀", 30)])
def test_sizes_are_bytes(text: str, expected: int) -> None:
    assert size({"message": text}) == expected


def test_a_part_of_the_quotas_is_left_to_others() -> None:
    paces = quotas.share({**QUOTAS, "percent": 80})
    assert (paces["GetLogEvents"], paces["CreateLogStream"]) == (20, 40)


def test_there_are_no_more_workers_than_batches() -> None:
    copy: Any = {"workers": 10, "paces": {"GetLogEvents": 2.0}}
    assert request.shared(copy, 4) == {"workers": 4, "paces": {"GetLogEvents": 2.0}, "batches": 4}
    assert request.shared(copy, 0)["workers"] == 1


def test_the_pace_is_kept() -> None:
    clock = TurnedClock()
    pacer = Pacer({"GetLogEvents": 10.0}, clock.monotonic, clock.sleep)
    begun = clock.monotonic()
    for _ in range(51):
        pacer.wait("GetLogEvents")
    assert 4.9 <= clock.monotonic() - begun <= 5.6
    assert pacer.calls["GetLogEvents"] == 51


def test_who_came_first_is_first() -> None:
    pacer = Pacer({"GetLogEvents": 50.0})
    turns: list[int] = []

    def read(stream: int) -> None:
        for _ in range(20):
            pacer.wait("GetLogEvents")
            turns.append(stream)

    with ThreadPoolExecutor(4) as streams:
        list(streams.map(read, range(4)))
    # None gets far ahead of another, at any time.
    for end in range(len(turns)):
        counts = [turns[:end].count(stream) for stream in range(4)]
        assert max(counts) - min(counts) <= 3


def test_each_throttle_makes_the_pause_longer() -> None:
    clock = TurnedClock()
    pacer = Pacer({}, clock.monotonic, clock.sleep)
    for _ in range(6):
        pacer.pause("PutLogEvents")
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    pacer.reset_pause("PutLogEvents")
    pacer.pause("PutLogEvents")
    assert clock.slept[-1] == 0.5


@pytest.mark.parametrize(
    ("stored", "streams", "together", "batch"),
    [
        (0, 20_000, 100, 1000),
        (20_000 * 5_000, 20_000, 100, 1000),
        (6000 * 5_000, 6000, 100, 600),
        (1000 * 5_000, 1000, 100, 200),
        (10_000, 100, 100, 20),
        (50 * 20_000_000, 50, 0, 2),
        (10**13, 10, 0, 1),
        (0, 0, 100, 20),
    ],
)
def test_sizes_of_batches(stored: int, streams: int, together: int, batch: int) -> None:
    assert listing.sizes(stored, streams, streams, 5) == (together, batch)


def batches_of(lasted: dict[str, int], workers: int = 5) -> list[Batch]:
    """The batches of a group with such streams, told by how long each was written to."""
    group = listing.Group(group="Task", source="a", target="b", retention=None, bytes=0)
    streams = [{"name": name, "milliseconds": milliseconds} for name, milliseconds in lasted.items()]
    parts = [
        {"step": 0, "seen": len(streams), "streams": streams},
        {"step": 1, "seen": 1, "streams": streams[:1]},
    ]
    return list(listing.batches([group], parts, workers))


def test_long_streams_come_first_and_are_dealt_out_evenly() -> None:
    lasted = {f"s{number}": 1000 for number in range(400)} | {f"long{number}": 9000 - number for number in range(10)}
    found = batches_of(lasted)
    assert [batch["streams"][:2] for batch in found] == [[f"long{n}", f"long{n + 5}"] for n in range(5)]
    assert [len(batch["streams"]) for batch in found] == [82] * 5
    assert sorted(name for batch in found for name in batch["streams"]) == sorted(lasted)
    assert [name for batch in found for name in batch["there"]] == ["s0"]


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}"])
def test_a_batch_fits_into_the_input_of_an_execution(letter: str) -> None:
    found = batches_of({f"{letter * 500}{number:012d}": 0 for number in range(3000)}, workers=2)
    assert sum(len(batch["streams"]) for batch in found) == 3000
    for batch in found:
        assert len(json.dumps({**batch, "there": batch["streams"]})) < 230_000


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        ("dag_id=etl/run_id=r/task_id=t/attempt=1.log", True),
        ("dag_id=etl.sub/run_id=r/task_id=t/map_index=3/attempt=1.log", False),
        ("etl/t/2024-01-01T00_00_00+00_00/1.log", True),
        ("etl2/t/2024-01-01T00_00_00+00_00/1.log", False),
        ("something else", True),
    ],
)
def test_dags_are_told_by_the_streams_names(stream: str, wanted: bool) -> None:
    assert Selection("etl").wants(stream) is wanted


ROWS = {
    "task_instance": (
        ["dag_id", "task_id", "run_id", "map_index", "state"],
        [
            "d\tgood\tmanual__2024-01-01T00:00:00+00:00\t-1\tsuccess",
            "d\tbad\tmanual__2024-01-01T00:00:00+00:00\t-1\tfailed",
            "d\tmapped\tmanual__2024-01-01T00:00:00+00:00\t2\tfailed",
            "d\tnever\tmanual__2024-01-01T00:00:00+00:00\t-1\t\\N",
            "d\tbad\tof_no_date\t-1\tfailed",
        ],
    ),
    "dag_run": (
        ["dag_id", "run_id", "execution_date"],
        ["d\tmanual__2024-01-01T00:00:00+00:00\t2024-01-01 02:00:00.5+02", "d\tof_no_date\t\\N"],
    ),
}


@pytest.mark.parametrize("date", ["execution_date", "logical_date"])
def test_only_failed_task_instances(date: str) -> None:
    s3 = clients.s3()
    manifest: dict[str, Any] = {"tables": {}}
    rows_of = {**ROWS, "dag_run": (["dag_id", "run_id", date], ROWS["dag_run"][1])}
    for table, (columns, rows) in rows_of.items():
        name = f"tables/{table}/1.copy.gz"
        body = gzip.compress("".join(f"{row}\n" for row in rows).encode())
        s3.put_object(Bucket="exchange", Key=f"artifacts/a/{name}", Body=body)
        manifest["tables"][table] = {"columns": columns, "parts": [{"name": name}]}
    s3.put_object(Bucket="exchange", Key="artifacts/a/manifest.json", Body=json.dumps(manifest).encode())
    selection = Selection(".*", failed_of(s3, "exchange", ["artifacts/a"]))
    run = "run_id=manual__2024-01-01T00_00_00+00_00"
    assert selection.wants(f"dag_id=d/{run}/task_id=bad/attempt=1.log")
    assert selection.wants(f"dag_id=d/{run}/task_id=bad/attempt=2.log")
    assert selection.wants(f"dag_id=d/{run}/task_id=mapped/map_index=2/attempt=1.log")
    assert selection.wants("d/bad/2024-01-01T00_00_00.500000+00_00/1.log")
    assert selection.wants("dag_id=d/run_id=of_no_date/task_id=bad/attempt=1.log")
    assert not selection.wants(f"dag_id=d/{run}/task_id=good/attempt=1.log")
    assert not selection.wants("d/good/2024-01-01T00_00_00.500000+00_00/1.log")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"source": {"environment": "a"}}, "MissingField at target"),
        ({"source": {"environment": "a"}, "target": {"environment": "b"}, "logs": {"days": 0}}, "logs.days"),
        ({"source": {"environment": "a"}, "target": {"environment": "b"}, "logs": {"dags": "("}}, "logs.dags"),
        ({"source": {"environment": "a"}, "target": {"environment": "b"}, "logs": {"groups": ["Tsk"]}}, "logs.groups"),
    ],
)
def test_an_input_that_does_not_fit(document: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.InvalidInput, match=told):
        request.of_input(document, "e", "bucket", "eu-west-1", 0, {**QUOTAS, "percent": 80, "workers": 5})


def test_the_example_fits() -> None:
    document = json.loads((Path(__file__).parents[4] / "events" / "logs" / "copy-logs.json").read_text())
    copy = request.of_input(document, "e", "bucket", "eu-west-1", 0, {**QUOTAS, "percent": 80, "workers": 5})
    assert copy["groups"] == ["Task", "Scheduler"]


def test_a_role_of_another_account_signs(service: LogService) -> None:
    keys = []

    def look(request: Any, **_: Any) -> None:
        keys.append(request.headers["Authorization"].decode().split("Credential=")[1][:4])

    for role in (None, "arn:aws:iam::999999999999:role/logs"):
        client = clients.logs("eu-west-1", role)
        client.meta.events.register("before-send.cloudwatch-logs", look)
        client.describe_log_groups()
    # A session's access key, which STS gave, and not the function's own.
    assert (keys[0] != "ASIA", keys[1]) == (True, "ASIA")


def test_a_role_is_taken_again_before_its_session_ends(service: LogService, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []

    def look(request: Any, **_: Any) -> None:
        keys.append(request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0])

    client: Any = clients.logs("eu-west-1", "arn:aws:iam::999999999999:role/logs")
    client.meta.events.register("before-send.cloudwatch-logs", look)
    client.describe_log_groups()
    client.describe_log_groups()
    # A session is of an hour; its last quarter has begun.
    later = datetime.now(UTC) + timedelta(minutes=51)
    # botocore asks for the time in two places: where it keeps a session, and where it keeps what it has fetched.
    monkeypatch.setattr(client._request_signer._credentials, "_time_fetcher", lambda: later)
    monkeypatch.setattr("botocore.credentials._local_now", lambda: later)
    client.describe_log_groups()
    assert keys[0] == keys[1] != keys[2]


def test_another_account_and_region() -> None:
    role = "arn:aws:iam::999999999999:role/logs"
    copy = request.of_input(
        {
            "source": {"environment": "a", "region": "us-east-1"},
            "target": {"environment": "b"},
            "logs": {"sourceRoleArn": role, "groups": ["Task", "Worker"]},
        },
        "e",
        "bucket",
        "eu-west-1",
        1000,
        {**QUOTAS, "percent": 80, "workers": 5},
    )
    assert copy["source"] == {"environment": "a", "region": "us-east-1", "role": role}
    assert copy["target"] == {"environment": "b", "region": "us-east-1", "role": None}
    assert copy["groups"] == ["Task", "Worker"]
    assert (copy["start"], copy["end"]) == (1_000_000 - 14 * DAY, 1_000_000)
    assert copy["prefix"] == "migrations/logs-b-e/1"
