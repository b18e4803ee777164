"""Evaluates the JSONata of state machines with jsonata-python, with the functions that Step Functions adds.

moto would evaluate it in a Java virtual machine, which it does not bring.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import random
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jsonata  # type: ignore[import-untyped]
from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression whose variables are declared in it.

    Raises:
        JSONataException: it cannot be evaluated. Step Functions calls that States.QueryEvaluationError.
    """
    variables: dict[str, Any] = {}

    def bind(declaration: re.Match[str]) -> str:
        value = json.loads(declaration["json"])
        variables[declaration["name"]] = jsonata.Utils.NULL_VALUE if value is None else value
        return ""

    text = _DECLARATION.sub(bind, expression)
    try:
        # With an input and a clock of its own: other threads evaluate the same expression.
        compiled = copy.copy(_compile(text))
        jsonata.Jsonata.CURRENT.jsonata = compiled
        return _plain(compiled.evaluate(None, variables))
    # jsonata-python's evaluator raises Python's own errors as well as its own for what an expression does wrong.
    except (jsonata.JException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise JSONataException("UNKNOWN", f"{error} in {text[-300:]}") from error


def declare_variables(bindings: Mapping[str, Any]) -> str:
    """Writes variables for `evaluate`, which takes them out of the expression again.

    moto would write them as JSONata, without escapes, and the same expression would be parsed for each value anew.
    """
    return "".join(
        f"{name}:={_QUOTE}{json.dumps(value, default=_as_json)}{_QUOTE};" for name, value in bindings.items()
    )


#: Around a variable's JSON, which has no control characters.
_QUOTE = "\x1f"
_DECLARATION = re.compile(rf"\$(?P<name>\w+):={_QUOTE}(?P<json>[^{_QUOTE}]*){_QUOTE};")


@functools.lru_cache(maxsize=1024)
def _compile(expression: str) -> Any:
    compiled = jsonata.Jsonata(expression)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return compiled


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> Any:
    """jsonata-python's own list and number types as JSON's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _partition(array: list[Any], size: float) -> list[list[Any]]:
    return [list(array[start : start + int(size)]) for start in range(0, len(array), int(size))]


def _range(first: float, last: float, step: float) -> list[int]:
    return list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))


def _hash(value: Any, algorithm: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    # Step Functions' $random is no source of secrets either.
    return random.Random(seed).random()


#: The functions that Step Functions adds to JSONata's own.
_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}
