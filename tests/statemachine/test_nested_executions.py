"""A state machine that starts another, while Step Functions' own API answers with errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from werkzeug.wrappers import Response

from local.aws.endpoint import Endpoint
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError
from local.aws.stepfunctions.nested_executions import BASE_ERROR

from .conftest import MIGRATION, Execute, Functions

REHEARSAL = {**MIGRATION, "mode": "rehearse"}


@contextmanager
def failing(endpoint: Endpoint, operation: str, error: AwsError, times: int) -> Iterator[list[str]]:
    """Answers a state machine's first `times` calls of an operation with an error; lists all of its calls."""
    calls: list[str] = []

    def between(request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        if request.operation.name == operation and not principal.is_administrator:
            calls.append(operation)
            if len(calls) <= times:
                raise error
        return carry_out()

    endpoint.interceptor = between
    try:
        yield calls
    finally:
        endpoint.interceptor = None


@pytest.mark.parametrize(
    "error", [AwsError("ThrottlingException", "Rate exceeded", 400), AwsError("InternalServerException", "?", 500)]
)
def test_a_start_that_fails_is_tried_again(aws: tuple[Endpoint, Functions], execute: Execute, error: AwsError) -> None:
    with failing(aws[0], "StartExecution", error, times=2) as starts:
        outcome = execute(machine="rehearse", Plan=REHEARSAL)
    assert outcome.status == "SUCCEEDED"
    # Two that failed, then the rehearsal and its two log copies.
    assert len(starts) == 5


def test_a_start_that_fails_again_and_again_has_the_name_of_step_functions(
    aws: tuple[Endpoint, Functions], execute: Execute
) -> None:
    with failing(aws[0], "StartExecution", AwsError("ThrottlingException", "Rate exceeded", 400), times=100):
        outcome = execute()
    assert (outcome.status, outcome.error) == ("FAILED", BASE_ERROR)
    assert "Error Code: ThrottlingException" in (outcome.cause or "")
    assert "RollBack" in outcome.states


def test_a_look_at_the_other_execution_that_fails_is_repeated(
    aws: tuple[Endpoint, Functions], execute: Execute
) -> None:
    error = AwsError("ServiceUnavailableException", "Service Unavailable", 503)
    with failing(aws[0], "DescribeExecution", error, times=3) as looks:
        outcome = execute(machine="rehearse", Plan=REHEARSAL)
    assert outcome.status == "SUCCEEDED"
    assert len(looks) > 3


def test_a_right_that_is_missing_fails_the_state(aws: tuple[Endpoint, Functions], execute: Execute) -> None:
    error = AwsError("AccessDeniedException", "not authorized to perform: states:DescribeExecution", 400)
    with failing(aws[0], "DescribeExecution", error, times=100):
        outcome = execute(machine="rehearse", Plan=REHEARSAL)
    assert (outcome.status, outcome.error) == ("FAILED", BASE_ERROR)
