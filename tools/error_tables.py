"""Tables of named errors and of refused input, read from the Python that defines or tries them."""

from __future__ import annotations

import ast

from local.installations.folders import ROOT
from tools.markdown_table import cell, table


def failures() -> str:
    """The named failures, from their classes."""
    tree = ast.parse((ROOT / "functions" / "migration" / "errors.py").read_text(encoding="utf-8"))
    rows = [
        f"| `{node.name}` | {cell(ast.get_docstring(node) or '')} |"
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name != "MigrationError"
    ]
    return table(("error", "what it means"), rows)


def bad_input() -> str:
    """Every input that is tried and refused, from the table that the test goes through."""
    tree = ast.parse((ROOT / "tests" / "unit" / "functions" / "plan" / "test_bad_input.py").read_text(encoding="utf-8"))
    constants: dict[str, str] = {}
    rows = []
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        if isinstance(node.value, ast.Constant | ast.JoinedStr):
            constants[node.targets[0].id] = _text(node.value, constants)
        elif isinstance(node.value, ast.Dict) and node.targets[0].id in ("SCHEMA", "WORLD"):
            for key, case in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(case, ast.Call) and key is not None:
                    error, path = (_text(argument, constants) for argument in case.args[:2])
                    rows.append(f"| {_text(key, constants)} | `{error}` | `{path}` |")
    return table(("what is wrong", "error", "where"), rows)


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    """A string of the source: a literal, a constant's name, or an f-string of both."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.Name):
        return constants[node.id]
    return str(ast.literal_eval(node))


def engine_failures() -> str:
    """The metadata engine's named failures, from their classes."""
    tree = ast.parse((ROOT / "dags" / "mwaa_migrator" / "errors.py").read_text(encoding="utf-8"))
    codes: dict[str, int] = {}
    rows = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        base = node.bases[0].id if isinstance(node.bases[0], ast.Name) else ""
        own = [item.value for item in node.body if isinstance(item, ast.Assign)]
        codes[node.name] = int(ast.literal_eval(own[0])) if own else codes[base]
        if node.name not in ("MigratorError", "Refused"):
            rows.append(f"| `{node.name}` | {codes[node.name]} | {cell(ast.get_docstring(node) or '')} |")
    return table(("error", "exit code", "what it means"), rows)
