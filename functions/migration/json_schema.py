"""Checks JSON documents against a schema, with all problems at once, and completes them with the schema's defaults.

The schemas are plain JSON Schema (draft 2020-12). This checker knows the keywords that they use and says what is wrong
in the user's words, with a suggestion for a misspelt field; that it agrees with the specification is tested against the
reference implementation, which is too big to start a Lambda with.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


class Problem(NamedTuple):
    """One thing that is wrong: the error's name, the field's path (`options.dags`), and what to do about it."""

    name: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.name} at {self.path or 'the input'}: {self.message}"


def problems_of(document: Any, schema: dict[str, Any]) -> list[Problem]:
    """What is wrong with a document by a schema, regular expressions aside."""
    return list(_check(document, schema, ""))


def completed(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A document that is valid by a schema, with the schema's defaults."""
    complete: dict[str, Any] = _complete(copy.deepcopy(document), schema)
    return complete


def _complete(value: Any, node: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            if name not in value and "default" in child:
                value[name] = copy.deepcopy(child["default"])
            if name in value:
                value[name] = _complete(value[name], child)
    # To JSON Schema 5.0 is an integer; to Python, and so to the engine, it is none.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def expression_problems(path: str, expression: str | None) -> Iterator[Problem]:
    try:
        re.compile(expression or "")
    except re.error as error:
        yield Problem("InvalidValue", path, f"not a regular expression: {error}")


def _check(value: Any, node: dict[str, Any], path: str) -> Iterator[Problem]:
    kinds = _listed(node.get("type"))
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        yield Problem("InvalidType", path, f"must be {_or(kinds)}, not {_shown(value)}")
        return
    if "const" in node and value != node["const"]:
        yield Problem("InvalidValue", path, f"must be {node['const']!r}, not {_shown(value)}")
    if "enum" in node and value not in node["enum"]:
        yield Problem(
            "InvalidValue", path, f"must be {_or([repr(item) for item in node['enum']])}, not {_shown(value)}"
        )
    if isinstance(value, str):
        yield from _check_string(value, node, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < node.get("minimum", value):
            yield Problem("InvalidValue", path, f"must be at least {node['minimum']}, not {value}")
        if value > node.get("maximum", value):
            yield Problem("InvalidValue", path, f"must be at most {node['maximum']}, not {value}")
    elif isinstance(value, list):
        if len(value) > node.get("maxItems", len(value)):
            yield Problem("InvalidValue", path, f"must have at most {node['maxItems']} items, not {len(value)}")
        for index, item in enumerate(value):
            yield from _check(item, node.get("items", {}), f"{path}[{index}]")
    elif isinstance(value, dict):
        yield from _check_object(value, node, path)


def _check_string(value: str, node: dict[str, Any], path: str) -> Iterator[Problem]:
    if len(value) < node.get("minLength", 0):
        yield Problem("InvalidValue", path, "must not be empty")
        return
    if len(value) > node.get("maxLength", len(value)):
        yield Problem("InvalidValue", path, f"must have at most {node['maxLength']} characters, not {len(value)}")
    # `$` of Python also matches before a line break at the end; `$` of JSON Schema (ECMA 262) does not.
    pattern = node.get("pattern")
    if pattern is not None and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield Problem("InvalidValue", path, f"must match {pattern}, and {_shown(value)} does not")


def _check_object(value: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[Problem]:
    known = node.get("properties", {})
    required = node.get("required", [])
    if "if" in node:
        branch = "else" if any(True for _ in _check(value, node["if"], path)) else "then"
        required = [*required, *node[branch].get("required", [])]
    for name in required:
        if name not in value:
            yield Problem("MissingField", _join(path, name), f"is required: {known[name].get('description', '')}")
    for name, child in value.items():
        if name in known:
            yield from _check(child, known[name], _join(path, name))
        elif node.get("additionalProperties") is False:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
            yield Problem("UnknownField", _join(path, name), f"no such field; {hint}")


def _is_of(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        # JSON knows one kind of number: 1.0 is an integer.
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return not isinstance(value, bool) and (whole or (kind == "number" and isinstance(value, float)))
    return isinstance(value, _TYPES[kind])


def _listed(kind: str | list[str] | None) -> list[str]:
    return [kind] if isinstance(kind, str) else kind or []


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _or(items: list[str]) -> str:
    return " or ".join(items)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
