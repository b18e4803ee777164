"""States that start another state machine (`states:startExecution.sync:2`), where moto differs from Step Functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

#: An integration's errors are named as in version 1 of the SDK for Java: an error that the service's model does not
#: have, such as throttling or a 500, is this base class.
BASE_ERROR = "StepFunctions.AWSStepFunctionsException"

# As moto has them, however often this is put in place.
_prepare = StateTaskServiceSfn._normalise_parameters
_failure = StateTaskServiceSfn._from_error
_looks = {name: getattr(StateTaskServiceSfn, name) for name in ("_build_sync_resolver", "_build_sync2_resolver")}


def install() -> None:
    """Changes moto for the whole process."""
    StateTaskServiceSfn._normalise_parameters = _request  # type: ignore[method-assign]
    StateTaskServiceSfn._normalise_response = _answer  # type: ignore[assignment,method-assign]
    StateTaskServiceSfn._from_error = _named_failure  # type: ignore[method-assign]
    for name, look in _looks.items():
        setattr(StateTaskServiceSfn, name, _patient(look))


def _request(self: StateTaskServiceSfn, parameters: dict[str, Any], *rest: Any, **named: Any) -> None:
    """Step Functions capitalises the members of an API's requests and answers, and moto passes them to boto3 as they
    are, which does not."""
    _prepare(self, parameters, *rest, **named)
    _rename(parameters, str.lower)


def _answer(self: StateTaskServiceSfn, response: Any, *rest: Any, **named: Any) -> None:
    _rename(response, str.upper)


def _rename(members: dict[str, Any], case: Callable[[str], str]) -> None:
    for name in list(members):
        members[f"{case(name[0])}{name[1:]}"] = members.pop(name)


def _named_failure(self: StateTaskServiceSfn, env: Environment, ex: Exception) -> FailureEvent:
    failure = _failure(self, env, ex)
    if not isinstance(ex, ClientError) or ex.response["Error"]["Code"] in _modelled():
        return failure
    assert failure.event_details is not None
    details = failure.event_details["taskFailedEventDetails"]
    assert details is not None
    details["error"] = BASE_ERROR
    return FailureEvent(env, CustomErrorName(BASE_ERROR), failure.event_type, failure.event_details)


def _modelled() -> set[str]:
    """The errors that StartExecution has in its model."""
    return {shape.name for shape in get_service_model("stepfunctions").operation_model("StartExecution").error_shapes}


def _patient(look: Callable[..., Callable[[], Any] | None]) -> Callable[..., Callable[[], Any] | None]:
    """Step Functions is notified of the other execution's end; moto polls its API. Here the API is asked at the start
    and after that end, and again where it fails."""

    def patient(self: StateTaskServiceSfn, env: Environment, **named: Any) -> Callable[[], Any] | None:
        execution = env.stack[-1]["ExecutionArn"]
        ended = look(self, env=env, **named)
        if ended is None:
            return None
        asked = False

        def ended_so_far() -> Any:
            nonlocal asked
            if asked and _runs(execution):
                return None
            asked = True
            try:
                return ended()
            except (BotoCoreError, ClientError) as error:
                # A permission that is missing now is missing at the next poll too.
                if isinstance(error, ClientError) and error.response["Error"]["Code"] == "AccessDeniedException":
                    raise
                return None

        return ended_so_far

    return patient


def _runs(execution: str) -> bool:
    _, _, _, region, account, *_ = execution.split(":")
    return stepfunctions_parser_backends[account][region].describe_execution(execution).status == "RUNNING"
