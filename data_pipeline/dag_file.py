"""A DAG as it is put together task by task, and its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from . import helpers, python_code
from .airflow_names import AirflowNames
from .python_code import Code

#: Names that a DAG file uses itself, which no task may take.
RESERVED = frozenset(("dag", "task", "pendulum", "re", "timedelta", "relativedelta", "closing", "context"))


@dataclass
class Task:
    """A task: an operator's call, or a call of one of the file's own functions (`module` is empty then).

    `kind` is "setup" or "teardown" for what makes and removes a resource; a teardown names its setups. `override` has
    the arguments that every operator takes, for a function.
    """

    name: str
    module: str
    callee: str
    arguments: dict[str, Any]
    kind: Literal["", "setup", "teardown"] = ""
    setups: tuple[str, ...] = ()
    override: dict[str, Any] = field(default_factory=dict)
    comment: str = ""


@dataclass
class DagFile:
    """A DAG: its arguments, its tasks by name, and in `edges` which of two tasks comes before which."""

    dag_id: str
    title: str
    names: AirflowNames
    start: datetime
    arguments: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)

    def add(self, task: Task, after: Iterable[str] = ()) -> Task:
        """Adds a task that waits for some others."""
        self.tasks[task.name] = task
        self.edges |= {(upstream, task.name) for upstream in after}
        return task

    def strings(self) -> Iterable[str]:
        """Every text in the file: where templates name parameters and macros."""
        for task in self.tasks.values():
            yield from python_code.strings(task.arguments)
            yield from python_code.strings(task.override)
        yield from python_code.strings(self.constants)
        yield from python_code.strings(self.arguments)

    def hoist(self) -> None:
        """Makes a constant of each request that several tasks send alike."""
        requests = {"EC2CreateInstanceOperator": "config", "EmrCreateJobFlowOperator": "job_flow_overrides"}
        for (operator, argument), name in zip(requests.items(), ("INSTANCE", "CLUSTER"), strict=True):
            makers = [task for task in self.tasks.values() if task.callee == operator]
            values: list[Any] = []
            for task in makers:
                if task.arguments[argument] not in values:
                    values.append(task.arguments[argument])
            for number, value in enumerate(values, start=1):
                users = [task for task in makers if task.arguments[argument] == value]
                if len(users) > 1:
                    constant = name if len(values) == 1 else f"{name}_{number}"
                    self.constants[constant] = value
                    for task in users:
                        task.arguments[argument] = Code(constant)

    def source(self) -> str:
        """The file, formatted.

        Raises:
            python_code.FormatterFailed: what was put in makes no Python.
        """
        functions = [
            helpers.helper(name, self.names)
            for name in helpers.function_names()
            if any(task.callee == name for task in self.tasks.values())
            or any(f"{name}(" in text for text in self.strings())
        ]
        body = [self._task(task) for task in self.tasks.values()]
        arguments = {"dag_id": self.dag_id, "start_date": self.start, **self.arguments}
        parts = [
            f'"""{self.title}"""',
            "from __future__ import annotations",
            self._imports(functions, arguments),
            *(f"{name} = {python_code.source(value)}" for name, value in self.constants.items()),
            *(f"\n{function.source}\n" for function in functions),
            f"with DAG({_keywords(_ordered(arguments))}):",
            *(_indented(text) for text in body),
            _indented("\n".join(self._links())),
        ]
        return python_code.formatted("\n\n".join(part for part in parts if part.strip()) + "\n")

    def _task(self, task: Task) -> str:
        comment = f"# {task.comment}\n" if task.comment else ""
        if task.module:
            call = f"{task.callee}({_keywords({'task_id': task.name, **task.arguments})})"
        else:
            override = _keywords({"task_id": task.name, **task.override})
            call = f"{task.callee}.override({override})({_keywords(task.arguments)})"
        if task.kind == "setup":
            call += ".as_setup()"
        elif task.kind == "teardown":
            setups = task.setups[0] if len(task.setups) == 1 else f"[{', '.join(task.setups)}]"
            call += f".as_teardown(setups={setups})"
        return f"{comment}{task.name} = {call}"

    def _imports(self, functions: Iterable[helpers.Helper], arguments: Mapping[str, Any]) -> str:
        wanted = {("", "pendulum"), (self.names.dag, "DAG")}
        for function in functions:
            wanted |= set(function.imports)
        for task in self.tasks.values():
            if task.module:
                wanted.add((task.module, task.callee))
            wanted |= set(python_code.imports(task.arguments)) | set(python_code.imports(task.override))
        wanted |= set(python_code.imports(arguments)) | set(python_code.imports(self.constants))
        return _import_lines(wanted)

    def _links(self) -> list[str]:
        """The dependencies that the outputs of tasks do not say already, as few and as long lines as there are."""
        implied = {
            (upstream, task.name)
            for task in self.tasks.values()
            for upstream in (*python_code.outputs(task.arguments), *(task.setups if task.kind == "teardown" else ()))
        }
        order = {name: index for index, name in enumerate(self.tasks)}
        waits: dict[str, list[str]] = {}
        for upstream, task_name in sorted(self.edges - implied, key=lambda edge: (order[edge[1]], order[edge[0]])):
            waits.setdefault(task_name, []).append(upstream)
        # Tasks that wait for the same ones are one line; a line that begins where another ends goes on with it.
        groups: dict[tuple[str, ...], list[str]] = {}
        for after, awaited in waits.items():
            groups.setdefault(tuple(awaited), []).append(after)
        chains: list[list[tuple[str, ...]]] = []
        for waited, afters in groups.items():
            # Two lists cannot be linked by an operator.
            steps: list[tuple[str, ...]] = [(after,) for after in afters] if len(waited) > 1 else [tuple(afters)]
            for step in steps:
                chain = next((item for item in chains if item[-1] == waited), None)
                if chain is None:
                    chains.append([waited, step])
                else:
                    chain.append(step)
        return [" >> ".join(_list_of(step) for step in chain) for chain in chains]


def _list_of(step: tuple[str, ...]) -> str:
    return step[0] if len(step) == 1 else f"[{', '.join(step)}]"


def _keywords(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={python_code.source(value)}" for name, value in arguments.items())


def _ordered(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A DAG's arguments in the order that people write them in."""
    order = ("dag_id", "description", "schedule", "start_date", "end_date", "catchup", "max_active_runs")
    first = {name: arguments[name] for name in order if name in arguments}
    return first | {name: value for name, value in arguments.items() if name not in first}


def _indented(text: str) -> str:
    """A block inside the DAG. Lines inside strings keep their place, since they are not the block's."""
    tokens = re.split(r'("""(?:[^"]|"(?!""))*""")', text)
    lines = [part if part.startswith('"""') else part.replace("\n", "\n    ") for part in tokens]
    return "    " + "".join(lines) if text else ""


def _import_lines(wanted: Iterable[tuple[str, str]]) -> str:
    """Imports in the order that isort gives them: the standard library, then the others."""
    modules: dict[str, set[str]] = {}
    for module, name in wanted:
        modules.setdefault(module or name, set())
        if module:
            modules[module].add(name)
    standard = {"re", "csv", "json", "contextlib", "datetime", "tempfile", "pathlib"}
    blocks: list[list[str]] = [[], []]
    for module in sorted(modules, key=lambda item: (bool(modules[item]), item)):
        names = modules[module]
        line = f"from {module} import {', '.join(sorted(names, key=_by_kind))}" if names else f"import {module}"
        blocks[module.split(".")[0] not in standard].append(line)
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _by_kind(name: str) -> tuple[bool, bool, str]:
    """Where isort puts a name: constants, then classes, then functions."""
    return not name.isupper(), not name[0].isupper(), name
