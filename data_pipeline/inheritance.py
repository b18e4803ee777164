"""Gives each object the fields of its parent, as Data Pipeline does when it reads a definition."""

from __future__ import annotations

from dataclasses import replace

from .model import DEFAULT, Definition, PipelineObject, Value
from .problems import Problem


def resolve(definition: Definition) -> tuple[Definition, list[Problem]]:
    """The definition with every object's inherited fields, and what was wrong with the parents.

    An object has the fields of the object that its `parent` names, or else those of the object `Default`. Its own field
    replaces an inherited one whole, lists too.
    """
    problems: list[Problem] = []
    resolved = {object_id: _inheriting(found, definition, problems) for object_id, found in definition.objects.items()}
    return replace(definition, objects=resolved), problems


def _inheriting(found: PipelineObject, definition: Definition, problems: list[Problem]) -> PipelineObject:
    fields: dict[str, tuple[Value, ...]] = {}
    origins: dict[str, str] = {}
    for ancestor in reversed(_lineage(found, definition, problems)):
        for name, values in ancestor.fields.items():
            if name == "parent" or (name == "type" and ancestor.id == DEFAULT):
                continue
            fields[name] = values
            origins[name] = ancestor.id
    return replace(found, fields=fields, origins=origins)


def _lineage(found: PipelineObject, definition: Definition, problems: list[Problem]) -> list[PipelineObject]:
    """The object, its parent, its parent's parent... the nearest first."""
    lineage = [found]
    while True:
        last = lineage[-1]
        parent_id = _parent(last)
        if parent_id is None:
            default = definition.objects.get(DEFAULT)
            return lineage if default is None or last.id == DEFAULT else [*lineage, default]
        parent = definition.objects.get(parent_id)
        if parent is None:
            if last is found:
                problems.append(Problem(found.id, "parent", f"there is no object {parent_id}."))
            return lineage
        if parent in lineage:
            if parent is found:
                way = " -> ".join([*(item.id for item in lineage), parent.id])
                problems.append(Problem(found.id, "parent", f"the object inherits from itself: {way}."))
            return lineage
        lineage.append(parent)


def _parent(found: PipelineObject) -> str | None:
    return next(iter((*found.references("parent"), *found.texts("parent"))), None)
