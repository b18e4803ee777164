"""What the text of one migration says of tables and columns, without running it."""

from __future__ import annotations

import ast
from typing import Iterable, Iterator, Mapping

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

#: Has the columns of which only a migration that runs would say the table.
ANY_TABLE = "?"


class MigrationSyntax:
    """A parsed migration. Its tree is walked once, because that takes as long as parsing it."""

    def __init__(self, module: ast.Module) -> None:
        nodes = list(ast.walk(module))
        self._calls = [node for node in nodes if isinstance(node, ast.Call)]
        self._blocks = [node for node in nodes if isinstance(node, ast.With)]
        self._models = [node for node in nodes if isinstance(node, ast.ClassDef)]
        self._texts = list(_constants(nodes))
        self._constants = dict(self._texts)

    def tables(self) -> Iterator[str]:
        """The names of tables: arguments of the functions above, and ``__tablename__``."""
        yield from (value for name, value in self._texts if name == "__tablename__")
        for call in self._calls:
            if _is_in_batch(call):
                continue
            arguments = [call.args[at] for at in _TABLE_ARGUMENTS.get(_function(call), ()) if at < len(call.args)]
            arguments += [keyword.value for keyword in call.keywords if keyword.arg in _TABLE_KEYWORDS]
            for argument in arguments:
                name = _string(argument, self._constants)
                if name is not None:
                    yield name

    def columns(self) -> Iterator[tuple[str, str]]:
        """Tables and their columns, as the migration makes, renames or reads them."""
        for model in self._models:
            yield from _columns_of_model(model, self._constants)
        attributed: set[ast.Call] = set()
        for table, call in self._calls_about_tables():
            inner = list(_calls_in(call))
            attributed.update(inner)
            yield from ((table, column) for column in _columns_of_call(call, inner, self._constants))
        for call in self._calls:
            if _function(call) == "Column" and call not in attributed:
                inner = list(_calls_in(call))
                yield from ((ANY_TABLE, column) for column in _columns_of_call(call, inner, self._constants))

    def renamed_tables(self) -> Iterator[tuple[str, str]]:
        """The old names of tables and the new."""
        for call in self._calls:
            if _function(call) == "rename_table":
                arguments = call.args[:2] + [word.value for word in call.keywords if word.arg in _TABLE_KEYWORDS]
                names = [_string(argument, self._constants) for argument in arguments]
                if len(names) == 2 and names[0] is not None and names[1] is not None:
                    yield names[0], names[1]

    def _calls_about_tables(self) -> Iterator[tuple[str, ast.Call]]:
        """The calls that make or change a table, with its name."""
        for block in self._blocks:
            for item in block.items:
                batch, alias = item.context_expr, item.optional_vars
                if isinstance(batch, ast.Call) and isinstance(alias, ast.Name) and batch.args:
                    table = _string(batch.args[0], self._constants) or ANY_TABLE
                    yield from ((table, call) for call in _calls_in(block) if _receiver(call) == alias.id)
        for call in self._calls:
            if _function(call) in ("create_table", "add_column", "alter_column", "Table", "table") and call.args:
                name = None if _is_in_batch(call) else _string(call.args[0], self._constants)
                if name is not None:
                    yield name, call


def _columns_of_model(model: ast.ClassDef, constants: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    table = dict(_constants(ast.walk(model))).get("__tablename__")
    for statement in model.body if table is not None else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            for target in statement.targets:
                if isinstance(target, ast.Name) and _function(statement.value) == "Column":
                    yield table, target.id
                    for argument in statement.value.args[:1]:
                        yield table, _string(argument, constants) or target.id


def _columns_of_call(call: ast.Call, inner: list[ast.Call], constants: Mapping[str, str]) -> Iterator[str]:
    """The columns that a call names. ``inner``: itself and the calls among its arguments."""
    for column in inner:
        if _function(column) in ("Column", "column") and column.args:
            name = _string(column.args[0], constants)
            if name is not None:
                yield name
    for keyword in call.keywords:
        name = _string(keyword.value, constants) if keyword.arg == "new_column_name" else None
        if name is not None:
            yield name


def _calls_in(node: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Call))


def _function(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _constants(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """The names to which statements give a text."""
    for statement in nodes:
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
