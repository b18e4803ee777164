"""What a state machine sends to a function is what the function's handler takes."""

from __future__ import annotations

import importlib
import inspect

import pytest

from migration.state import camel_case
from tools.state_machines import definition
from tools.template import tasks, template

MACHINES = ("migrate", "copy_logs", "rehearse")
TASKS = {(name, state): task for name in MACHINES for state, task in tasks(name).items()}


def sent(name: str, state: str) -> set[str]:
    """The keys of a task's payload; those of a Map's items where that is what it sends."""
    payload = TASKS[name, state]["Arguments"]["Payload"]
    if isinstance(payload, dict):
        return set(payload)
    (items,) = [one["ItemSelector"] for one in definition(name)["States"].values() if "ItemSelector" in one]
    return set(items)


@pytest.mark.parametrize(("name", "state"), TASKS, ids=lambda value: str(value))
def test_a_state_sends_what_its_function_takes(name: str, state: str) -> None:
    function = TASKS[name, state]["Arguments"]["FunctionName"][2:-4]
    module = importlib.import_module(template()["Resources"][function]["Properties"]["Handler"].split(".")[0])
    parameters = inspect.signature(module.handler).parameters.values()
    fields = {camel_case(one.name) for one in parameters}
    required = {camel_case(one.name) for one in parameters if one.default is inspect.Parameter.empty}
    # The execution's name goes to each, for its log.
    assert required | {"execution"} <= sent(name, state) <= fields | {"execution"}
