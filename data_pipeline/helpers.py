"""Takes functions out of `dag_functions`, with the imports that each needs."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

from .airflow_names import AirflowNames

_HOOKS = "airflow.providers.amazon.aws.hooks"
_MODULES = {
    "S3Hook": f"{_HOOKS}.s3",
    "DynamoDBHook": f"{_HOOKS}.dynamodb",
    "SsmHook": f"{_HOOKS}.ssm",
    "NamedTemporaryFile": "tempfile",
    "closing": "contextlib",
    "timedelta": "datetime",
    # Modules themselves.
    "re": "",
    "pendulum": "",
}


@dataclass(frozen=True)
class Helper:
    """A function's source, and the modules and names that it imports."""

    source: str
    imports: tuple[tuple[str, str], ...]


def helper(name: str, names: AirflowNames) -> Helper:
    """A function as a version of Airflow has it.

    Raises:
        KeyError: there is no such function.
    """
    function = _functions()[name]
    modules = {
        **_MODULES,
        "task": names.task,
        "BaseHook": names.base_hook,
        "AirflowFailException": names.fail_exception,
    }
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    # Airflow 2 knows when a run was due by the end of its interval, Airflow 3 by a time of its own.
    source = _source(function) if names.is_3 else _source(function).replace("].run_after", "].data_interval_end")
    return Helper(source, tuple(sorted((modules[item], item) for item in used & modules.keys())))


def function_names() -> tuple[str, ...]:
    """The functions that there are."""
    return tuple(_functions())


@functools.cache
def _text() -> str:
    return Path(__file__).with_name("dag_functions.py").read_text(encoding="utf-8")


@functools.cache
def _functions() -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(_text()).body if isinstance(node, ast.FunctionDef)}


def _source(function: ast.FunctionDef) -> str:
    """A function's lines, decorators included."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return "\n".join(_text().splitlines()[first - 1 : function.end_lineno])
