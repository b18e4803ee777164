"""Every Choice and every Catch of the state machine that copies logs, in real executions."""

from __future__ import annotations

import pytest

from .conftest import COPY, LISTED, Event, Execute, Fails

BEGIN = ["Begin", "ListLogStreams", "Listed"]
# The states of a batch's child execution.
BATCH = ["CopyLogEvents", "BatchCopied", "BatchEnded"]


def test_each_batch_is_copied(execute: Execute) -> None:
    outcome = execute(machine="copy_logs")
    assert (outcome.status, outcome.output) == ("SUCCEEDED", {"streams": 2})
    assert [state for state in outcome.states if state not in BATCH] == [*BEGIN, "CopyBatches", "CollectLogResults"]
    copied = outcome.events("CopyLogEvents")
    assert sorted(event["batch"]["index"] for event in copied) == [0, 1]
    assert all(event["copy"] == COPY for event in copied)
    assert outcome.events("ListLogStreams")[0]["input"] == {"source": {}}
    assert outcome.events("CollectLogResults") == [
        {"execution": outcome.calls[0][1]["execution"], "copy": COPY, "failure": {}}
    ]


def test_nothing_to_copy(execute: Execute) -> None:
    outcome = execute(machine="copy_logs", ListLogStreams={**LISTED, "batches": 0})
    assert outcome.states == [*BEGIN, "CollectLogResults"]


def test_a_listing_goes_on(execute: Execute) -> None:
    progress = {"cursor": 1}
    outcome = execute(machine="copy_logs", ListLogStreams=[{**LISTED, "ready": False, "progress": progress}, LISTED])
    assert [event["progress"] for event in outcome.events("ListLogStreams")] == [None, progress]
    assert outcome.status == "SUCCEEDED"


def test_a_batch_goes_on(execute: Execute) -> None:
    calls = 0

    def copy(event: Event) -> Event:
        nonlocal calls
        calls += event["batch"]["index"] == 1
        return {"ready": event["batch"]["index"] == 0 or calls == 3, "waitSeconds": 0}

    outcome = execute(machine="copy_logs", CopyLogEvents=copy)
    assert (outcome.status, calls) == ("SUCCEEDED", 3)


def test_a_batch_is_retried(execute: Execute) -> None:
    outcome = execute(
        machine="copy_logs",
        CopyLogEvents=[Fails("TransientFault"), Fails("Sandbox.Timedout"), {"ready": True, "waitSeconds": 0}],
    )
    assert (outcome.status, len(outcome.events("CopyLogEvents"))) == ("SUCCEEDED", 4)


def test_what_is_told_of_an_execution_that_has_just_ended_is_late(execute: Execute) -> None:
    outcome = execute(machine="copy_logs", ListLogStreams=[Fails("LogCopyUnderWay"), Fails("LogCopyUnderWay"), LISTED])
    assert outcome.status == "SUCCEEDED"
    assert all(event["executionArn"].endswith(f":{event['execution']}") for event in outcome.events("ListLogStreams"))


def test_one_that_still_runs_is_told_of(execute: Execute) -> None:
    outcome = execute(machine="copy_logs", ListLogStreams=Fails("LogCopyUnderWay"))
    assert (outcome.status, outcome.error) == ("FAILED", "LogCopyUnderWay")
    assert len(outcome.events("ListLogStreams")) == 4


def test_a_failed_batch_is_named_by_who_collects(execute: Execute) -> None:
    outcome = execute(
        machine="copy_logs",
        CopyLogEvents=Fails("LogAccessDenied"),
        CollectLogResults=Fails("LogAccessDenied", "a right"),
    )
    # Step Functions fails a Map whose items fail, moto does not; either way the journals name the failure.
    assert len(outcome.events("CollectLogResults")) == 1
    assert (outcome.status, outcome.error) == ("FAILED", "LogAccessDenied")


def test_a_failed_map_is_judged_by_who_collects(execute: Execute) -> None:
    outcome = execute(machine="copy_logs", ListLogStreams={**LISTED, "manifest": "missing.json"})
    (collected,) = outcome.events("CollectLogResults")
    assert collected["failure"]["error"].startswith("States.")


@pytest.mark.parametrize("function", ["ListLogStreams", "CollectLogResults"])
def test_a_failure_fails_the_execution(execute: Execute, function: str) -> None:
    outcome = execute(machine="copy_logs", **{function: Fails("LogGroupNotFound")})
    assert (outcome.status, outcome.error) == ("FAILED", "LogGroupNotFound")
