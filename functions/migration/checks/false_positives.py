"""What the linter reports without cause, because a file is written for several versions of Airflow.

- What stands in `except ImportError:` runs only where the import before it does not exist, which is another version; so
  does what uses a name that was imported there, wherever it stands.
- A call with `**arguments` may get its schedule there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from migration.checks.linter import SYNTAX, Violation

_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")
_NO_SCHEDULE = "AIR002"


def certain(folder: Path, violations: Sequence[Violation]) -> list[Violation]:
    """The violations, sorted by their files, that hold whatever the version; `folder` has the files."""
    return [
        violation
        for file, found in groupby(violations, key=attrgetter("file"))
        for violation in _of_file((folder / file).read_text(encoding="utf-8"), list(found))
    ]


def _of_file(text: str, violations: list[Violation]) -> list[Violation]:
    fallbacks = any(name in text for name in _IMPORT_ERRORS)
    splats = "**" in text and any(violation.rule == _NO_SCHEDULE for violation in violations)
    if not (fallbacks or splats) or any(violation.rule == SYNTAX for violation in violations):
        return violations
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Written for a newer Python than this one, or too deep for it: then all of it counts.
        return violations
    handlers = list(_handlers(tree))
    elsewhere = [(handler.lineno, handler.end_lineno or handler.lineno) for handler in handlers]

    def is_elsewhere(line: int) -> bool:
        return any(first <= line <= last for first, last in elsewhere)

    imports = list(_imports(tree))
    fallen_back = {name for line, name in imports if is_elsewhere(line)}
    fallen_back -= {name for line, name in imports if not is_elsewhere(line)}
    calls = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _takes_more(node)}
    return [
        violation
        for violation in violations
        if not is_elsewhere(violation.line)
        and violation.named not in fallen_back
        and not (violation.rule == _NO_SCHEDULE and violation.line in calls)
    ]


def _handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(isinstance(error, ast.Name) and error.id in _IMPORT_ERRORS for error in caught):
                yield node


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, `airflow.operators.bash.BashOperator`) of each name that is imported from somewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def _takes_more(call: ast.Call) -> bool:
    return any(keyword.arg is None for keyword in call.keywords)
