"""Which activity waits for which: by `dependsOn`, and by data nodes that one writes and another reads."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping

from . import object_reference
from .model import Definition, PipelineObject
from .problems import Problem


def activities(definition: Definition) -> list[PipelineObject]:
    """The activities, in the order of the definition."""
    return [found for found in definition.objects.values() if object_reference.kind(found.type) == "activity"]


def referrers(definition: Definition, object_id: str) -> Iterator[PipelineObject]:
    """The objects of a known type that refer to one, in the order of the definition."""
    for found in definition.objects.values():
        if found.id == object_id or not object_reference.kind(found.type):
            continue
        if any(object_id in referred(found, name) for name in found.fields):
            yield found


def referred(found: PipelineObject, name: str) -> tuple[str, ...]:
    """The ids that a field refers to, by a reference or, where the reference takes one, by the plain id."""
    if object_reference.types()[found.type].fields.get(name) == "reference":
        return (*found.references(name), *found.texts(name))
    return found.references(name)


def upstream(definition: Definition) -> Mapping[str, tuple[str, ...]]:
    """For each activity the ids of the activities that it waits for, in the order of the definition.

    An activity waits for the activities in its `dependsOn`; for those that write a data node that it reads or depends
    on; and for what that data node depends on.
    """
    writers: dict[str, list[str]] = {}
    found_activities = activities(definition)
    for activity in found_activities:
        for node in activity.references("output"):
            writers.setdefault(node, []).append(activity.id)
    order = {activity.id: index for index, activity in enumerate(found_activities)}

    def behind(object_id: str, seen: frozenset[str]) -> set[str]:
        """The activities behind an object that something depends on."""
        if object_id in order:
            return {object_id}
        found = definition.objects.get(object_id)
        if found is None or object_id in seen:
            return set()
        waited = set(writers.get(object_id, ()))
        for other in found.references("dependsOn"):
            waited |= behind(other, seen | {object_id})
        return waited

    waits = {}
    for activity in found_activities:
        waited: set[str] = set()
        for object_id in (*activity.references("dependsOn"), *activity.references("input")):
            waited |= behind(object_id, frozenset())
        # What it writes itself, and reads as well, is no reason to wait.
        own = {activity.id} - set(activity.references("dependsOn"))
        waits[activity.id] = tuple(sorted(waited - own, key=order.__getitem__))
    return waits


def circles(definition: Definition) -> list[Problem]:
    """A problem for each circle of activities that wait for each other."""
    waits = {activity: set(others) for activity, others in upstream(definition).items()}
    problems: list[Problem] = []
    while True:
        try:
            graphlib.TopologicalSorter(waits).prepare()
        except graphlib.CycleError as error:
            # The sorter names one circle, each activity before the one that waits for it; without one of its links
            # the next circle is found.
            circle: list[str] = list(reversed(error.args[1]))
            problems.append(Problem(circle[0], "dependsOn", f"activities wait for each other: {' -> '.join(circle)}."))
            waits[circle[0]].discard(circle[1])
        else:
            return problems
