"""What this Airflow's own migrations say, read from their text.

Alembic would import every one of them, and with them Airflow's models and FAB: 50 MB and most of a second.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from typing import Any, Iterable, Iterator

from mwaa_migrator.errors import AirflowNotSupported


def head_revision() -> str:
    """The revision that the migrations lead to: the one that no other follows.

    Raises AirflowNotSupported unless there is exactly one.
    """
    revisions: set[str] = set()
    followed: set[str] = set()
    for text in _migrations():
        for name, value in _assignments(text):
            if name == "revision":
                revisions.add(value)
            elif name == "down_revision":
                followed.update([value] if isinstance(value, str) else value or ())
    heads = revisions - followed
    if len(heads) != 1:
        message = "This Airflow's migrations lead to {} revisions ({}) instead of one. Install Airflow anew."
        raise AirflowNotSupported(message.format(len(heads), ", ".join(sorted(heads))))
    return heads.pop()


def unknown_tables(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no migration mentions, so that a user or a plugin must have made them.

    The models would not do instead: importing all of them takes seconds, and leaves out those whose optional dependency
    is not installed.
    """
    quoted = {name for text in _migrations() for name in re.findall(r"""["'](\w+)["']""", text)}
    return sorted(name for name in names if name not in quoted)


def _migrations() -> Iterator[str]:
    """The text of each migration."""
    import airflow

    for path in glob.glob(os.path.join(os.path.dirname(airflow.__file__), "migrations", "versions", "*.py")):
        with open(path, encoding="utf-8") as migration:
            yield migration.read()


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    """The revisions that a module assigns, with or without a type."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
                yield target.id, ast.literal_eval(statement.value)
