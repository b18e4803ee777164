"""Finds every problem of a definition at once, before anything is translated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from . import dependencies, inheritance, object_reference, periods, schedules
from .expressions.scope import NotEvaluated, Runtime, Scope
from .expressions.values import Text
from .model import DEFAULT, Definition, PipelineObject, Reference
from .problems import Problem
from .run_values import Trigger, of_tasks

#: Fields that Data Pipeline does not evaluate.
_VERBATIM = frozenset({"type", "myComment", "parent"})
_BOOLEANS = ("true", "false")


def resolved(definition: Definition) -> tuple[Definition, list[Problem]]:
    """The definition with inherited fields, and all that is wrong with it."""
    inheriting, problems = inheritance.resolve(definition)
    for found in inheriting.objects.values():
        problems.extend(_of_object(found, inheriting))
    problems.extend(dependencies.circles(inheriting))
    problems.extend(schedules.problems(inheriting))
    if not any(object_reference.kind(found.type) == "activity" for found in inheriting.objects.values()):
        problems.append(Problem("", "", "it has no activity, so the DAG would have nothing to do."))
    # A field that many objects inherit is reported once.
    return inheriting, list(dict.fromkeys(problems))


def _of_object(found: PipelineObject, definition: Definition) -> Iterator[Problem]:
    known = object_reference.types().get(found.type)
    if known is None:
        if found.type:
            names = ", ".join(sorted(object_reference.types()))
            yield Problem(found.id, "type", f"Data Pipeline has no objects of the type {found.type}; it has {names}.")
        elif found.id != DEFAULT and not _is_parent(found, definition):
            yield Problem(found.id, "type", "it has no type, and no object inherits from it.")
    for name, values in found.fields.items():
        if found.origin(name) != found.id:
            continue
        for value in values:
            if isinstance(value, Reference) and value.id not in definition.objects:
                yield Problem(found.id, name, f"there is no object {value.id}.")
    if known is None:
        return
    for name in known.required:
        if not found.fields.get(name) and not found.fields.get(f"*{name}"):
            yield Problem(found.id, name, f"a {found.type} must have it.")
    for group in known.one_of:
        if not any(found.fields.get(name) for name in group):
            yield Problem(found.id, group[0], f"a {found.type} must have {' or '.join(group)}.")
    scope = _scope(found, definition)
    if scope is None:
        return
    for name in found.fields:
        if name not in _VERBATIM:
            yield from _of_field(found, name, known.fields.get(name, ""), scope)


def _of_field(found: PipelineObject, name: str, slot: str, scope: Scope) -> Iterator[Problem]:
    origin = found.origin(name)
    if slot == "reference":
        for plain in found.texts(name):
            if plain not in scope.definition.objects:
                yield Problem(origin, name, f"it takes a reference, and there is no object {plain}.")
        return
    try:
        texts = scope.evaluated(name)
    except NotEvaluated as error:
        yield Problem(origin, name, str(error))
        return
    for text in texts:
        message = _slot_problem(text, slot)
        if message:
            yield Problem(origin, name, message)


def _slot_problem(text: Text, slot: str) -> str:
    fixed = text.fixed
    if fixed is None:
        return ""
    if slot == "period":
        try:
            # The reference writes a cluster's terminateAfter as a number of hours too.
            periods.parse(fixed if not fixed.strip().isdigit() else f"{fixed} hours")
        except periods.NotAPeriod as error:
            return str(error)
    if slot == "integer" and not re.fullmatch(r"\s*-?\d+\s*", fixed):
        return f"{fixed!r} is no whole number."
    if slot == "double" and not re.fullmatch(r"\s*-?(\d+(\.\d*)?|\.\d+)\s*", fixed):
        return f"{fixed!r} is no number."
    if slot == "boolean" and fixed.strip().lower() not in _BOOLEANS:
        return f"{fixed!r} is neither true nor false."
    return ""


def _scope(found: PipelineObject, definition: Definition) -> Scope | None:
    """The scope to check an object's fields in; None for an alarm or a precondition that nothing refers to."""
    runtime = Runtime(_RUN_VALUES, stand_ins(definition))
    if object_reference.kind(found.type) not in ("action", "precondition"):
        return Scope(definition, found, runtime)
    referrer = next(dependencies.referrers(definition, found.id), None)
    return None if referrer is None else Scope(definition, found, runtime, node=referrer)


def stand_ins(definition: Definition) -> Mapping[str, str]:
    """A variable for each parameter that has none of its own value."""
    return {
        name: parameter.name
        for name, parameter in definition.parameters.items()
        if parameter.is_secret or (not parameter.values and not parameter.is_optional)
    }


def _is_parent(found: PipelineObject, definition: Definition) -> bool:
    return any(
        found.id in (*other.references("parent"), *other.texts("parent")) for other in definition.objects.values()
    )


_RUN_VALUES = of_tasks(Trigger.TIMESERIES, None, (2,))
