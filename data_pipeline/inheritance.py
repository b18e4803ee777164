"""Gives each object the fields of its parent, as Data Pipeline does when it reads a definition."""

from __future__ import annotations

from dataclasses import replace

from .faults import Fault
from .model import DEFAULT, Definition, PipelineObject, Value


def resolve(definition: Definition) -> tuple[Definition, list[Fault]]:
    """The definition with every object's inherited fields, and what was wrong with the parents.

    An object has the fields of the object that its `parent` names, or else those of the object `Default`. Its own field
    replaces an inherited one whole, lists too.
    """
    faults: list[Fault] = []
    resolved = {object_id: _inheriting(found, definition, faults) for object_id, found in definition.objects.items()}
    return replace(definition, objects=resolved), faults


def _inheriting(found: PipelineObject, definition: Definition, faults: list[Fault]) -> PipelineObject:
    fields: dict[str, tuple[Value, ...]] = {}
    origins: dict[str, str] = {}
    for ancestor in reversed(_lineage(found, definition, faults)):
        for name, values in ancestor.fields.items():
            if name == "parent" or (name == "type" and ancestor.id == DEFAULT):
                continue
            fields[name] = values
            origins[name] = ancestor.id
    return replace(found, fields=fields, origins=origins)


def _lineage(found: PipelineObject, definition: Definition, faults: list[Fault]) -> list[PipelineObject]:
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
                faults.append(Fault(found.id, "parent", f"there is no object {parent_id}."))
            return lineage
        if parent in lineage:
            if parent is found:
                way = " -> ".join([*(item.id for item in lineage), parent.id])
                faults.append(Fault(found.id, "parent", f"the object inherits from itself: {way}."))
            return lineage
        lineage.append(parent)


def _parent(found: PipelineObject) -> str | None:
    return next(iter((*found.references("parent"), *found.texts("parent"))), None)
