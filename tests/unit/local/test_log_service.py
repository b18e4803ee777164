"""CloudWatch Logs of the local AWS: pages, orders and limits that its API reference has."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local.aws.logs.answers import CloudWatchLogs
from local.aws.logs.service import LogService
from local.aws.logs.streams import PAGE_BYTES, PER_EVENT
from local.aws.responses import AwsError

NOW = 1_700_000_000_000
GROUP = {"logGroupName": "group"}


@pytest.fixture
def service() -> LogService:
    made = LogService(lambda: NOW / 1000)
    made.call("CreateLogGroup", GROUP)
    return made


def put(service: LogService, stream: str, *messages: str, at: int = NOW) -> Any:
    place = {**GROUP, "logStreamName": stream}
    service.call("CreateLogStream", place)
    events = [{"timestamp": at + number, "message": text} for number, text in enumerate(messages)]
    return service.call("PutLogEvents", {**place, "logEvents": events})


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_without_startfromhead_the_latest_events_come_first(service: LogService) -> None:
    half = "x" * (PAGE_BYTES // 2 - PER_EVENT)
    put(service, "s", "first")
    service.fill("group", "s", [(NOW + 1, half), (NOW + 2, half)])
    place = {**GROUP, "logStreamName": "s"}
    assert messages(service.call("GetLogEvents", place)) == [half, half]
    head = service.call("GetLogEvents", {**place, "startFromHead": True})
    assert messages(head) == ["first", half]
    rest = service.call("GetLogEvents", {**place, "nextToken": head["nextForwardToken"]})
    assert messages(rest) == [half]
    assert messages(service.call("GetLogEvents", {**place, "limit": 1})) == [half]


def test_streams_are_listed_by_name_or_by_their_latest_event(service: LogService) -> None:
    for name, at in (("b", NOW - 5), ("a", NOW - 9), ("c", NOW - 7)):
        put(service, name, "text", at=at)

    def listed(**options: Any) -> list[str]:
        streams = service.call("DescribeLogStreams", {**GROUP, **options})["logStreams"]
        return [stream["logStreamName"] for stream in streams]

    assert listed() == ["a", "b", "c"]
    assert listed(descending=True) == ["c", "b", "a"]
    assert listed(orderBy="LastEventTime") == ["a", "c", "b"]
    assert listed(orderBy="LastEventTime", descending=True) == ["b", "c", "a"]
    assert listed(logStreamNamePrefix="b") == ["b"]


def test_lists_have_pages(service: LogService) -> None:
    for number in range(60):
        service.call("CreateLogGroup", {"logGroupName": f"many-{number:02}"})
    first = service.call("DescribeLogGroups", {"logGroupNamePrefix": "many-"})
    assert len(first["logGroups"]) == 50
    second = service.call("DescribeLogGroups", {"logGroupNamePrefix": "many-", "nextToken": first["nextToken"]})
    assert [group["logGroupName"] for group in second["logGroups"]] == [f"many-{number}" for number in range(50, 60)]
    assert "nextToken" not in second


def test_a_filter_reads_all_streams_where_none_is_named(service: LogService) -> None:
    put(service, "a", "one", at=NOW)
    put(service, "b", "two", at=NOW - 1)
    assert messages(service.call("FilterLogEvents", GROUP)) == ["two", "one"]
    assert messages(service.call("FilterLogEvents", {**GROUP, "logStreamNamePrefix": "a"})) == ["one"]
    assert messages(service.call("FilterLogEvents", {**GROUP, "filterPattern": "two"})) == ["two"]


def test_events_beyond_the_retention_are_rejected(service: LogService) -> None:
    service.call("PutRetentionPolicy", {**GROUP, "retentionInDays": 1})
    day = 24 * 60 * 60 * 1000
    assert put(service, "old", "text", at=NOW - 2 * day) == {"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 1}}
    assert service.content("group")["old"] == []


def test_what_is_deleted_is_not_there(service: LogService) -> None:
    put(service, "s", "text")
    service.call("DeleteLogStream", {**GROUP, "logStreamName": "s"})
    with pytest.raises(AwsError, match="log stream does not exist"):
        service.call("GetLogEvents", {**GROUP, "logStreamName": "s"})
    service.call("DeleteLogGroup", GROUP)
    with pytest.raises(AwsError, match="log group does not exist"):
        service.call("DescribeLogStreams", {"logGroupIdentifier": "arn:aws:logs:eu-west-1:1:log-group:group:*"})


def test_quotas_are_off_until_they_are_set(service: LogService) -> None:
    for _ in range(20):
        service.call("DescribeLogGroups", {})
    service.limit({"DescribeLogGroups": 5})
    for _ in range(5):
        service.call("DescribeLogGroups", {})
    with pytest.raises(AwsError, match="Rate exceeded"):
        service.call("DescribeLogGroups", {})
    assert service.throttles["DescribeLogGroups"] == 1


def test_the_times_of_a_stream_can_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = CloudWatchLogs("123456789012")
    place = {"logGroupName": "a-group", "logStreamName": "s"}
    logs.region("eu-west-1").call("CreateLogGroup", {"logGroupName": "a-group"})
    put_into = logs.region("eu-west-1").call
    put_into("CreateLogStream", place)
    put_into("PutLogEvents", {**place, "logEvents": [{"timestamp": int(time.time() * 1000), "message": "m"}]})

    def described() -> dict[str, Any]:
        (stream,) = logs.region("eu-west-1").call("DescribeLogStreams", {"logGroupName": "a-group"})["logStreams"]
        found: dict[str, Any] = stream
        return found

    assert "lastEventTimestamp" in described()
    monkeypatch.setenv("STREAM_TIMES_DELAY_SECONDS", "3600")
    assert described().keys() == {"logStreamName", "creationTime", "storedBytes"}


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(AwsError, match="has no StartQuery here") as refused:
        LogService(time.time).call("StartQuery", {})
    assert refused.value.name == "UnknownOperationException"
