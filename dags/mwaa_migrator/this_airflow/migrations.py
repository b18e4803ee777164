"""What this Airflow's own migrations say, read from their text.

Alembic would import every one of them, and with them Airflow's models and FAB: 50 MB and most of a second. A process
reads them once.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from functools import lru_cache
from typing import Any, FrozenSet, Iterable, Iterator

from mwaa_migrator.errors import AirflowNotSupported


@lru_cache(maxsize=None)
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


def known_revisions() -> set[str]:
    """The revisions that this Airflow's migrations begin at, lead through and lead to."""
    return {found["revision"] for found in (dict(_assignments(text)) for text in _migrations()) if "revision" in found}


def first_version() -> str:
    """The release of the migration that follows no other: the oldest schema that this Airflow upgrades."""
    for text in _migrations():
        found = dict(_assignments(text))
        if "revision" in found and found.get("down_revision") is None:
            return str(found.get("airflow_version", "an older release"))
    return "an older release"


def applied_revisions(revision: str) -> set[str]:
    """The revisions that a database at ``revision`` has been through, as far as this Airflow knows them."""
    before: dict[str, Any] = {}
    for text in _migrations():
        found = dict(_assignments(text))
        before[found.get("revision", "")] = found.get("down_revision")
    applied: set[str] = set()
    waiting = [revision]
    while waiting:
        current = waiting.pop()
        if current and current not in applied:
            applied.add(current)
            earlier = before.get(current)
            waiting += [earlier] if isinstance(earlier, str) else list(earlier or ())
    return applied


def unknown_tables(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no migration takes for a table, so that a user or a plugin must have made them.

    A word that a migration uses for something else does not count: ``event`` is a column's name. The models would not
    do instead: importing all of them takes seconds, and leaves out those whose optional dependency is not installed.
    """
    known = tables_in_migrations()
    return sorted(name for name in names if name not in known)


@lru_cache(maxsize=None)
def tables_in_migrations() -> FrozenSet[str]:
    """The tables that this Airflow's migrations make or change."""
    return frozenset(name for text in _migrations() for name in _tables(ast.parse(text)))


def names_in_migrations() -> set[str]:
    """Every name that this Airflow's migrations put between quotes: of tables, columns, indexes, constraints."""
    return {name for text in _migrations() for name in re.findall(r"""["'](\w+)["']""", text)}


#: The functions of Alembic and SQLAlchemy that take a table's name, and the positions of it.
_TABLE_ARGUMENTS = {
    "add_column": (0,),
    "alter_column": (0,),
    "batch_alter_table": (0,),
    "bulk_insert": (0,),
    "create_foreign_key": (1, 2),
    "create_index": (1,),
    "create_primary_key": (1,),
    "create_table": (0,),
    "create_unique_constraint": (1,),
    "drop_column": (0,),
    "drop_table": (0,),
    "Table": (0,),
    "rename_table": (0, 1),
    "table": (0,),
}
_TABLE_KEYWORDS = ("source_table", "referent_table", "table_name", "old_table_name", "new_table_name")


def _tables(module: ast.Module) -> Iterator[str]:
    """The names of tables in a module: arguments of the functions above, and ``__tablename__``."""
    constants: dict[str, str] = {}
    for statement in ast.walk(module):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], _string(statement.value, constants)
            if isinstance(target, ast.Name) and value is not None:
                constants[target.id] = value
                if target.id == "__tablename__":
                    yield value
    for call in ast.walk(module):
        if not isinstance(call, ast.Call) or _is_in_batch(call):
            continue
        function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        arguments = [call.args[at] for at in _TABLE_ARGUMENTS.get(function, ()) if at < len(call.args)]
        arguments += [keyword.value for keyword in call.keywords if keyword.arg in _TABLE_KEYWORDS]
        for argument in arguments:
            name = _string(argument, constants)
            if name is not None:
                yield name


def _is_in_batch(call: ast.Call) -> bool:
    """Whether it is an operation of ``batch_alter_table``, which names columns where others name tables."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(receiver, ast.Name) and receiver.id.startswith("batch")


def _string(value: ast.AST, constants: dict[str, str]) -> str | None:
    """The text of a literal, or of a name that the module gives a literal to; None for anything else."""
    if isinstance(value, ast.Name):
        return constants.get(value.id)
    # Python 3.7 parses a string as ast.Str, whose text is ``s``.
    text = getattr(value, "value", getattr(value, "s", None))
    return text if isinstance(text, str) else None


def _migrations() -> Iterator[str]:
    """The text of each migration."""
    import airflow

    for path in glob.glob(os.path.join(os.path.dirname(airflow.__file__), "migrations", "versions", "*.py")):
        with open(path, encoding="utf-8") as migration:
            yield migration.read()


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    """What a module assigns to ``revision``, ``down_revision`` and ``airflow_version``, with or without a type."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "airflow_version"):
                yield target.id, ast.literal_eval(statement.value)
