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
from typing import Any, Dict, FrozenSet, Iterable, Iterator, Mapping, NamedTuple, Tuple

from mwaa_migrator.errors import AirflowNotSupported


@lru_cache(maxsize=None)
def head_revision() -> str:
    """The revision that the migrations lead to: the one that no other follows.

    Raises AirflowNotSupported unless there is exactly one.
    """
    revisions = _read().revisions
    heads = set(revisions) - {before for revision in revisions.values() for before in revision.follows}
    if len(heads) != 1:
        message = "This Airflow's migrations have {} heads ({}) instead of one. Reinstall Airflow."
        raise AirflowNotSupported(message.format(len(heads), ", ".join(sorted(heads))))
    return heads.pop()


def known_revisions() -> set[str]:
    """The revisions that this Airflow's migrations begin at, lead through and lead to."""
    return set(_read().revisions)


def first_version() -> str:
    """The release of the migration that follows no other: the oldest schema that this Airflow upgrades."""
    for revision in _read().revisions.values():
        if not revision.follows:
            return revision.airflow_version or "an older release"
    return "an older release"


def applied_revisions(revision: str) -> set[str]:
    """The revisions that a database at ``revision`` has been through, as far as this Airflow knows them."""
    revisions = _read().revisions
    applied: set[str] = set()
    waiting = [revision]
    while waiting:
        current = waiting.pop()
        if current not in applied:
            applied.add(current)
            waiting += revisions[current].follows if current in revisions else ()
    return applied


def unknown_tables(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no migration and no model takes for a table: a user or a plugin must have made them.

    A word that a migration uses for something else does not count: ``event`` is a column's name. The models alone would
    not do, because a database may still have what they have no more; the migrations alone would not either, because
    those of 3.0 begin with tables that they do not spell out.
    """
    known = tables_in_migrations() | _read_models().tables
    return sorted(name for name in names if name not in known)


def tables_in_migrations() -> FrozenSet[str]:
    """The tables that this Airflow's migrations make or change."""
    return _read().tables


def columns_in_migrations(table: str) -> FrozenSet[str]:
    """The columns that this Airflow's migrations give the table, under any name that it has had.

    Airflow 3's migrations begin with tables that they do not spell out: of those, only columns that came later.
    """
    columns = _read().columns
    return columns.get(table, frozenset()) | columns.get(_ANY_TABLE, frozenset())


def names_in_migrations(after: str | None = None) -> set[str]:
    """Every name that this Airflow's migrations put between quotes: of tables, columns, indexes, constraints.

    ``after``: only the migrations that a database at that revision has not been through.
    """
    migrations = _read()
    applied = set() if after is None else applied_revisions(after)
    ahead = [names for revision, names in migrations.names.items() if revision not in applied]
    return set().union(*ahead)


def index_names() -> set[str]:
    """The names of indexes and constraints in this Airflow's migrations and models, and of whatever else is there."""
    return names_in_migrations() | _read_models().indexes


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
    constants = dict(_constants(module))
    yield from (value for name, value in _constants(module) if name == "__tablename__")
    for call in _calls(module):
        if _is_in_batch(call):
            continue
        function = _function(call)
        arguments = [call.args[at] for at in _TABLE_ARGUMENTS.get(function, ()) if at < len(call.args)]
        arguments += [keyword.value for keyword in call.keywords if keyword.arg in _TABLE_KEYWORDS]
        for argument in arguments:
            name = _string(argument, constants)
            if name is not None:
                yield name


#: Has the columns of which only a migration that runs would say the table.
_ANY_TABLE = "?"


def _columns(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Tables and their columns, as a module makes, renames or reads them."""
    constants = dict(_constants(module))
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield from _columns_of_model(node, constants)
    attributed: set[ast.Call] = set()
    for table, call in _calls_about_tables(module, constants):
        attributed.update(_calls(call))
        yield from ((table, column) for column in _columns_of_call(call, constants))
    for call in _calls(module):
        if _function(call) == "Column" and call not in attributed:
            yield from ((_ANY_TABLE, column) for column in _columns_of_call(call, constants))


def _calls_about_tables(module: ast.Module, constants: Mapping[str, str]) -> Iterator[tuple[str, ast.Call]]:
    """The calls that make or change a table, with its name."""
    for node in ast.walk(module):
        for item in node.items if isinstance(node, ast.With) else ():
            batch, alias = item.context_expr, item.optional_vars
            if isinstance(batch, ast.Call) and isinstance(alias, ast.Name) and batch.args:
                table = _string(batch.args[0], constants) or _ANY_TABLE
                yield from ((table, call) for call in _calls(node) if _receiver(call) == alias.id)
    for call in _calls(module):
        if _function(call) in ("create_table", "add_column", "alter_column", "Table", "table") and call.args:
            table_name = None if _is_in_batch(call) else _string(call.args[0], constants)
            if table_name is not None:
                yield table_name, call


def _columns_of_model(model: ast.ClassDef, constants: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    own = dict(_constants(model))
    for statement in model.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) and "__tablename__" in own:
            for target in statement.targets:
                if isinstance(target, ast.Name) and _function(statement.value) == "Column":
                    yield own["__tablename__"], target.id
                    for argument in statement.value.args[:1]:
                        yield own["__tablename__"], _string(argument, constants) or target.id


def _columns_of_call(call: ast.Call, constants: Mapping[str, str]) -> Iterator[str]:
    for inner in _calls(call):
        if _function(inner) in ("Column", "column") and inner.args:
            name = _string(inner.args[0], constants)
            if name is not None:
                yield name
    for keyword in call.keywords:
        name = _string(keyword.value, constants) if keyword.arg == "new_column_name" else None
        if name is not None:
            yield name


def _renamed_tables(module: ast.Module) -> Iterator[tuple[str, str]]:
    constants = dict(_constants(module))
    for call in _calls(module):
        if _function(call) == "rename_table":
            names = [_string(argument, constants) for argument in call.args[:2]]
            names += [_string(keyword.value, constants) for keyword in call.keywords if keyword.arg in _TABLE_KEYWORDS]
            if len(names) == 2 and names[0] is not None and names[1] is not None:
                yield names[0], names[1]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Call))


def _function(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _constants(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names to which a module or a class gives a text."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], _string(statement.value, {})
            if isinstance(target, ast.Name) and value is not None:
                yield target.id, value


def _is_in_batch(call: ast.Call) -> bool:
    """Whether it is an operation of ``batch_alter_table``, which names columns where others name tables."""
    return _receiver(call).startswith("batch")


def _receiver(call: ast.Call) -> str:
    """The name of that of which a method is called; empty for anything else."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    return receiver.id if isinstance(receiver, ast.Name) else ""


def _string(value: ast.AST, constants: Mapping[str, str]) -> str | None:
    """The text of a literal, or of a name that the module gives a literal to; None for anything else."""
    if isinstance(value, ast.Name):
        return constants.get(value.id)
    # Python 3.7 parses a string as ast.Str, whose text is ``s``.
    text = getattr(value, "value", getattr(value, "s", None))
    return text if isinstance(text, str) else None


class _Revision(NamedTuple):
    follows: Tuple[str, ...]
    airflow_version: str | None


class _Migrations(NamedTuple):
    revisions: Dict[str, _Revision]
    tables: FrozenSet[str]
    columns: Dict[str, FrozenSet[str]]
    names: Dict[str, FrozenSet[str]]


@lru_cache(maxsize=None)
def _read() -> _Migrations:
    """Parsing the text is what takes time, so all that is wanted of it is taken at once."""
    revisions: Dict[str, _Revision] = {}
    tables: set[str] = set()
    columns: Dict[str, set[str]] = {}
    renamed: set[tuple[str, str]] = set()
    names: Dict[str, FrozenSet[str]] = {}
    for text in _migrations():
        module = ast.parse(text)
        said = dict(_assignments(module))
        if "revision" in said:
            revisions[said["revision"]] = _Revision(_as_tuple(said.get("down_revision")), said.get("airflow_version"))
            names[said["revision"]] = frozenset(re.findall(r"""["'](\w+)["']""", text))
        tables.update(_tables(module))
        renamed.update(_renamed_tables(module))
        for table, column in _columns(module):
            columns.setdefault(table, set()).add(column)
    for one, other in renamed:
        both = columns.get(one, set()) | columns.get(other, set())
        columns.update({one: both, other: both})
    frozen = {name: frozenset(of) for name, of in columns.items()}
    return _Migrations(revisions, frozenset(tables), frozen, names)


class _Models(NamedTuple):
    tables: FrozenSet[str]
    indexes: FrozenSet[str]


@lru_cache(maxsize=None)
def _read_models() -> _Models:
    """From their text: importing all of them takes seconds, and leaves out those that lack an optional dependency."""
    texts = list(_texts("models")) + list(_texts("jobs"))
    tables = {name for text in texts for name in re.findall(r"""__tablename__\b[^=\n]*= ["'](\w+)["']""", text)}
    indexes = {name for text in texts for name in re.findall(r"""(?:\bIndex\(\s*|\bname=)["'](\w+)["']""", text)}
    return _Models(frozenset(tables), frozenset(indexes))


def _as_tuple(revisions: Any) -> Tuple[str, ...]:
    return (revisions,) if isinstance(revisions, str) else tuple(revisions or ())


def _migrations() -> Iterator[str]:
    """The text of each migration."""
    return _texts("migrations", "versions")


def _texts(*folder: str) -> Iterator[str]:
    """The text of each module in a folder of this Airflow's."""
    import airflow

    for path in glob.glob(os.path.join(os.path.dirname(airflow.__file__), *folder, "*.py")):
        with open(path, encoding="utf-8") as module:
            yield module.read()


def _assignments(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """What a module assigns to ``revision``, ``down_revision`` and ``airflow_version``, with or without a type."""
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "airflow_version"):
                yield target.id, ast.literal_eval(statement.value)
