"""The stack's schedules in the local AWS: they start what they name, as their own roles."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application

SOURCE = {"source": {"environment": "gone"}, "target": {"airflowVersion": "3.2.1"}}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsWithMwaa]:
    """A stack whose rehearsal starts at once. There is no Airflow: the source does not exist."""
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    with AwsWithMwaa() as aws:
        application.deploy(aws, parameters={"RehearsalSchedule": f"at({soon})", "RehearsalInput": json.dumps(SOURCE)})
        yield aws


def wait_for(what: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_schedule_starts_a_rehearsal(aws: AwsWithMwaa) -> None:
    states, machine = aws.client("stepfunctions"), aws.deployed.state_machines["RehearseStateMachine"]
    (execution,) = wait_for(lambda: states.list_executions(stateMachineArn=machine)["executions"])
    ended = wait_for(
        lambda: (
            (told := states.describe_execution(executionArn=execution["executionArn"]))["status"] != "RUNNING" and told
        )
    )
    assert json.loads(ended["input"]) == SOURCE
    assert (ended["status"], ended["error"]) == ("FAILED", "SourceNotFound")
    calls = [call for call in aws.endpoint.record.calls() if "RehearsalScheduleRole" in call.role_arn]
    assert [(call.action, call.decision) for call in calls] == [("states:StartExecution", "allowed")]


def test_a_schedule_starts_a_sweep_that_may_do_what_it_does(aws: AwsWithMwaa) -> None:
    aws.schedules.fire(datetime.now(UTC) + timedelta(hours=2))
    record = aws.endpoint.record
    swept = wait_for(lambda: {call for call in record.calls() if call.action == "airflow:ListEnvironments"})
    assert {call.decision for call in swept} == {"allowed"}
    assert [call for call in record.calls() if call.decision != "allowed"] == []


def test_what_cannot_be_started_is_a_dead_letter(aws: AwsWithMwaa) -> None:
    scheduler, machine = aws.client("scheduler"), aws.deployed.state_machines["MigrateStateMachine"]
    made = scheduler.get_schedule(Name="ScheduledRehearsal")
    # Its role may start the other state machine only.
    target = {**made["Target"], "Arn": machine}
    window = {"Mode": "OFF"}
    scheduler.create_schedule(
        Name="other", ScheduleExpression="at(2026-01-01T00:00:00)", FlexibleTimeWindow=window, Target=target
    )
    sqs, queue = aws.client("sqs"), aws.deployed.outputs["DeadLettersUrl"]
    (letter,) = wait_for(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(letter["Body"]) == SOURCE
