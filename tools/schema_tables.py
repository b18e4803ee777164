"""Tables of a published JSON schema's fields."""

from __future__ import annotations

import json
from collections.abc import Iterator

from local.installations.folders import ROOT
from tools.markdown_table import cell, table
from tools.template import Content

FUNCTIONS = ROOT / "functions" / "migration"


def input_reference(file: str = "plan/input.schema.json") -> str:
    """Every field of the input, from the published schema."""
    schema = json.loads((FUNCTIONS / file).read_text(encoding="utf-8"))
    rows = [
        f"| `{path}` | {_type(node)} | {_default(node, need)} | {cell(node['description'])} |"
        for path, node, need in _fields(schema, "")
    ]
    return table(("field", "type", "default", "what it is"), rows)


def _fields(node: Content, path: str) -> Iterator[tuple[str, Content, bool]]:
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, child, name in node.get("required", [])
        yield from _fields(child, below)


def _type(node: Content) -> str:
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    limits = [f"{word} {node[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in node]
    return ", ".join([" or ".join(kinds), *limits])


def _default(node: Content, required: bool) -> str:
    if required:
        return "required"
    return f"`{json.dumps(node['default'])}`" if "default" in node else "none"


def report_reference() -> str:
    """Every field of report.json, from the published schema."""
    schema = json.loads((FUNCTIONS / "report" / "report.schema.json").read_text(encoding="utf-8"))
    rows = [f"| `{path}` | {need} | {cell(text)} |" for path, need, text in _report_fields(schema, schema, "")]
    return table(("field", "always there", "what it is"), rows)


def _report_fields(node: Content, schema: Content, path: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, "yes" if name in node.get("required", []) else "", child["description"]
        for inner, suffix in _inner(child, schema):
            yield from _report_fields(inner, schema, below + suffix)


def _inner(node: Content, schema: Content) -> Iterator[tuple[Content, str]]:
    """What lies below a field: in an object, in each item of an array, or in each value of a map."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    yield node, ""
    if "items" in node:
        yield node["items"], "[]"
    if isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"], ".*"
