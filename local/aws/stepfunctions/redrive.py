"""RedriveExecution, which moto does not have: an execution that has ended goes on in the state in which it ended.

As in Step Functions, it keeps its ARN and its history, the state has the input and the variables that it was entered
with, and retries are counted anew. Here an aborted execution ends with its state's task, so that a redrive never meets
an invocation that is still running, as it can in an account.
"""

from __future__ import annotations

import copy
import datetime
from typing import Any, NamedTuple

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionNotRedrivable, ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.responses import StepFunctionResponse

_REDRIVABLE = (ExecutionStatus.FAILED, ExecutionStatus.ABORTED, ExecutionStatus.TIMED_OUT)


class _Entered(NamedTuple):
    """The state that an execution has entered last, with its input and variables."""

    state: str
    input: Any
    variables: VariableStore


def install() -> None:
    """Changes moto for the whole process."""
    CommonStateField._eval_body = _remember_and_evaluate  # type: ignore[method-assign]
    StepFunctionResponse.redrive_execution = _redrive_execution  # type: ignore[attr-defined]


_evaluate = CommonStateField._eval_body


def _remember_and_evaluate(self: CommonStateField, env: Environment) -> None:
    # The states of a map are in frames; what is entered again is the map.
    if not env.is_frame():
        entered = _Entered(self.name, env.states.get_input(), copy.deepcopy(env.variable_store))
        env.entered = entered  # type: ignore[attr-defined]
    _evaluate(self, env)


def _redrive_execution(self: StepFunctionResponse) -> ActionResult:
    execution: Execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))  # type: ignore[assignment]
    if execution.exec_status not in _REDRIVABLE or execution.exec_worker is None:
        raise ExecutionNotRedrivable(f"{execution.exec_arn} is {execution.status} and cannot be redriven.")
    execution.exec_worker = _RedrivenWorker(execution.exec_worker)
    execution.exec_status, execution.error, execution.cause = ExecutionStatus.RUNNING, None, None
    worker: Any = execution.exec_worker
    worker.start()
    return ActionResult({"redriveDate": datetime.datetime.now(tz=datetime.UTC)})


class _RedrivenWorker(ExecutionWorker):
    """Goes on where another worker has ended."""

    def __init__(self, before: ExecutionWorker) -> None:
        super().__init__(
            before._evaluation_details,
            before._execution_communication,
            before._cloud_watch_logging_session,
            before._activity_store,
        )
        self._before: Any = before.env
        # Made before the thread starts, so that it can be stopped at once.
        self.env = self._get_evaluation_environment()

    def _execution_logic(self) -> None:
        entered: _Entered = self._before.entered
        # The program is every execution's.
        program: Any = copy.copy(self._get_evaluation_entrypoint())
        program.start_at = StartAt(entered.state)
        env: Any = self.env
        env.event_manager, env.event_history_context = self._before.event_manager, self._before.event_history_context
        env.variable_store = entered.variables
        env.states.reset(entered.input)
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=None,
        )
        program.eval(env)
        self._execution_communication.terminated()
