"""GetExecutionHistory with the order, the pages and the members that its request asks for.

moto answers each request with the whole history, a copy of which takes longer the longer an execution runs.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.responses import StepFunctionResponse

_PAGE = 100
_LARGEST_PAGE = 1000
#: What is left out of the details of events without `includeExecutionData`.
_EXECUTION_DATA = ("input", "inputDetails", "output", "outputDetails")


def install() -> None:
    """Changes moto for the whole process."""
    StepFunctionResponse.get_execution_history = _answer  # type: ignore[method-assign]


def _answer(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    # Only the environment's own list can be read without a copy of it; it grows at its end alone.
    env = execution.exec_worker.env if execution.exec_worker is not None else None
    events: list[Any] = env.event_manager._history_event_list if env is not None else []
    # A token has the number of events that there were, because more come while an execution runs.
    known, first = (int(part) for part in str(self._get_param("nextToken") or f"{len(events)}/0").split("/"))
    last = min(known, first + min(_LARGEST_PAGE, int(self._get_param("maxResults") or _PAGE)))
    if self._get_bool_param("reverseOrder", False):
        page = [events[known - 1 - at] for at in range(first, last)]
    else:
        page = events[first:last]
    if not self._get_bool_param("includeExecutionData", True):
        page = [_without_data(event) for event in page]
    more = {"nextToken": f"{known}/{last}"} if last < known else {}
    return ActionResult({"events": copy.deepcopy(page), **more})


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: inner for key, inner in value.items() if key not in _EXECUTION_DATA}
        if isinstance(value, dict)
        else value
        for name, value in event.items()
    }
