"""The tasks of a DAG and their order: those of its activities, of what they run on, and of what they wait for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from . import alarms, dependencies, preconditions, python_code, resources
from .activities import host, translate_activity
from .draft import Draft
from .model import PipelineObject
from .resources import Host


def fill(draft: Draft, activities: Sequence[PipelineObject]) -> None:
    """Adds the tasks of some activities, of what they need and of what they wait for, with their order."""
    definition = draft.definition
    waits = dependencies.upstream(definition)
    here = {activity.id for activity in activities}
    order = _in_order(activities, waits)
    by_host: dict[Host, list[PipelineObject]] = {}
    for activity in order:
        needed = host(draft, activity)
        if needed is not None:
            by_host.setdefault(needed, []).append(activity)
    setups: dict[Host, list[str]] = {}
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    own: dict[str, list[str]] = {}
    of_nodes: dict[str, list[str]] = {}
    gates: dict[str, list[str]] = {}
    entrances: dict[str, set[str]] = {}
    for activity in order:
        needed = host(draft, activity)
        if needed is not None and needed not in setups:
            setups[needed] = resources.set_up(draft, needed)
        used = setups[needed] if needed else []
        own[activity.id] = preconditions.sensors(draft, activity, activity, used)
        for node in draft.referred(activity, "input"):
            if node.id not in of_nodes:
                of_nodes[node.id] = preconditions.sensors(draft, node, activity, used)
            gates[activity.id] = [*gates.get(activity.id, ()), *of_nodes[node.id]]
        made = translate_activity(draft, activity, used)
        first[activity.id], last[activity.id] = made[0], made[-1]
        draft.dag.edges |= set(itertools.pairwise(made))
        _finish(draft, activity, made)
        for node in draft.referred(activity, "output"):
            if node.id not in of_nodes:
                of_nodes[node.id] = preconditions.sensors(draft, node, activity, used)
            draft.dag.edges |= {(last[activity.id], sensor) for sensor in of_nodes[node.id]}
        # What it waits for comes before its own preconditions, which come before it, as do those of its data nodes.
        before = {last[other] for other in waits[activity.id] if other in here}
        draft.dag.edges |= {(task, entry) for task in before for entry in own[activity.id] or [first[activity.id]]}
        direct = {*own[activity.id], *gates.get(activity.id, ())}
        draft.dag.edges |= {(gate, first[activity.id]) for gate in direct}
        entrances[activity.id] = direct | (set() if own[activity.id] else before)
    for used_host, users in by_host.items():
        _around(draft, setups[used_host], [user.id for user in users], first, last, entrances, waits)
        ends = [user.id for user in users if not any(user.id in _all_before(other.id, waits) for other in users)]
        resources.tear_down(draft, used_host, setups[used_host], [last[end] for end in ends])


def _in_order(activities: Sequence[PipelineObject], waits: Mapping[str, Sequence[str]]) -> list[PipelineObject]:
    """The activities, each behind those that it waits for; otherwise as the definition has them."""
    by_id = {activity.id: activity for activity in activities}
    ordered: dict[str, PipelineObject] = {}
    pending = list(reversed(activities))
    while pending:
        activity = pending[-1]
        missing = [other for other in waits[activity.id] if other in by_id and other not in ordered]
        if missing:
            pending.extend(by_id[other] for other in reversed(missing))
        else:
            ordered.setdefault(activity.id, pending.pop())
    return list(ordered.values())


def _finish(draft: Draft, activity: PipelineObject, names: Sequence[str]) -> None:
    """Gives an activity's tasks its callbacks, and the life of its host as their limit.

    Each of them may fail; the first shows that the activity starts late, and the last that it has ended.
    """
    callbacks = alarms.callbacks(draft, activity)
    places = {"on_failure_callback": names, "pre_execute": names[:1]}
    for name in names:
        task = draft.dag.tasks[name]
        arguments = task.arguments if task.module else task.override
        arguments |= {key: value for key, value in callbacks.items() if name in places.get(key, names[-1:])}
        if host(draft, activity) is not None and "execution_timeout" not in arguments:
            life = resources.longest_life(draft, draft.referred(activity, "runsOn")[0])
            if life is not None:
                arguments["execution_timeout"] = life
    if activity.text("failureAndRerunMode"):
        _note_failure(draft, activity)
    for field in ("input", "output", "dependsOn"):
        draft.ledger.note(activity, field, "The order of the tasks.")


def _note_failure(draft: Draft, activity: PipelineObject) -> None:
    mode = (activity.text("failureAndRerunMode") or "").upper()
    if mode == "CASCADE":
        draft.ledger.note(activity, "failureAndRerunMode", "What waits for a failed task fails too: Airflow's own way.")
    else:
        draft.ledger.differs(
            activity,
            "failureAndRerunMode",
            "What waits for a failed task fails at once, where Data Pipeline let it wait: clear the failed task and "
            "all behind it.",
        )


def _around(
    draft: Draft,
    setups: list[str],
    users: Sequence[str],
    first: Mapping[str, str],
    last: Mapping[str, str],
    entrances: Mapping[str, set[str]],
    waits: Mapping[str, Sequence[str]],
) -> None:
    """Makes a resource when the first of its users may begin: after what all of those wait for."""
    entries = [user for user in users if not _all_before(user, waits) & set(users)]
    draft.dag.edges |= set(itertools.pairwise(setups))
    draft.dag.edges |= {(setups[-1], first[entry]) for entry in entries}
    # Preconditions that themselves run on the resource.
    inside = {
        task
        for user in users
        for task in entrances[user] - set(last.values())
        if setups[0] in python_code.outputs(draft.dag.tasks[task].arguments)
    }
    draft.dag.edges |= {(setups[-1], task) for task in inside}
    for task in set.intersection(*(entrances[entry] for entry in entries)) - inside:
        draft.dag.edges.add((task, setups[0]))
        draft.dag.edges -= {(task, first[entry]) for entry in entries}


def _all_before(activity: str, waits: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(waits.get(activity, ()))
    while pending:
        other = pending.pop()
        if other not in found:
            found.add(other)
            pending.extend(waits.get(other, ()))
    return found
