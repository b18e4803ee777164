"""Evaluates the JSONata of state machines with jsonata-python, with the functions that Step Functions adds.

moto would evaluate it in a Java virtual machine, which it does not bring.
"""

from __future__ import annotations

import hashlib
import json
import random
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
    try:
        compiled = jsonata.Jsonata(expression)
        for name, function in _FUNCTIONS.items():
            compiled.register_lambda(name, function)
        return _plain(compiled.evaluate(None))
    # jsonata-python's evaluator raises Python's own errors as well as its own for what an expression does wrong.
    except (jsonata.JException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise JSONataException("UNKNOWN", f"{error} in {expression[-300:]}") from error


def declare_variables(bindings: Mapping[str, Any]) -> str:
    """Writes variables as JSONata assignments; moto does not escape strings in them.

    Large values are kept here and looked up, because JSONata takes a hundred times as long to parse them.
    """
    declared = []
    for name, value in bindings.items():
        text = json.dumps(value, default=_as_json)
        if len(text) > _LARGEST_LITERAL:
            key = hashlib.sha256(text.encode()).hexdigest()
            _LARGE_VALUES.setdefault(key, text)
            text = f'$largeValue("{key}")'
        declared.append(f"{name}:={text};")
    return "".join(declared)


_LARGEST_LITERAL = 200
#: JSON by its hash; there are as many as the process's executions have different large values.
_LARGE_VALUES: dict[str, str] = {}


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
    "largeValue": lambda key: json.loads(_LARGE_VALUES[key]),
}
