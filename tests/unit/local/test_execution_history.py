"""GetExecutionHistory of the local AWS: order, pages, and whether inputs and outputs are in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities

REGION = "eu-west-1"
STATES = {
    "A": {"Type": "Pass", "Next": "B"},
    "B": {"Type": "Pass", "Next": "C"},
    "C": {"Type": "Pass", "End": True},
}
TYPES = [
    "ExecutionStarted",
    *("PassStateEntered", "PassStateExited") * 3,
    "ExecutionSucceeded",
]


@pytest.fixture(scope="module")
def history() -> Iterator[Any]:
    """The history of an execution of three states, by the members of a request."""
    endpoint = Endpoint(Identities())
    endpoint.start()
    administrator = endpoint.identities.administrator

    def client(service: str) -> Any:
        return endpoint.client(service, administrator, REGION)

    role = client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
    states = client("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": STATES})
    machine = states.create_state_machine(name="three", definition=definition, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input='{"some": "input"}')["executionArn"]
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.02)
    yield lambda **members: states.get_execution_history(executionArn=execution, **members)
    endpoint.stop()


def test_events_are_in_the_order_that_is_asked_for(history: Any) -> None:
    events = history()["events"]
    assert [event["type"] for event in events] == TYPES
    assert history(reverseOrder=True)["events"] == events[::-1]
    assert history(reverseOrder=True, maxResults=1)["events"] == events[-1:]


def test_a_history_has_pages(history: Any) -> None:
    first = history(maxResults=5)
    rest = history(maxResults=5, nextToken=first["nextToken"])
    assert [event["id"] for event in first["events"] + rest["events"]] == list(range(1, 9))
    assert "nextToken" not in rest


def test_execution_data_is_left_out_on_request(history: Any) -> None:
    started = history()["events"][0]
    assert json.loads(started["executionStartedEventDetails"]["input"]) == {"some": "input"}
    without = history(includeExecutionData=False)["events"]
    assert "input" not in without[0]["executionStartedEventDetails"]
    assert without[1]["stateEnteredEventDetails"]["name"] == "A"
