"""What base, refreshes and delta have moved, as one export, one import and one comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migration.airflow import our_dags, runs
from migration.exchange import chain, layout
from migration.exchange.store import Store
from migration.model import Migration

Result = Mapping[str, Any]

_TASKS = {"export": our_dags.EXPORT, "import": our_dags.IMPORT, "verify": our_dags.IMPORT}
#: Sentences and rows that each artifact adds some to.
_LISTS = ("set_aside", "refused_by_airflow_3", "without_parent", "changed_values")
_COUNTS = ("exported", "merged", "kept", "set_aside")


def results(migration: Migration, artifact: Store, shared: Store, whole: Store) -> dict[str, Result]:
    """The results of the tasks *export*, *import* and *verify*; empty for one that the delta's runs have not done.

    A comparison that has found a difference is there without the delta's, too.

    Args:
        artifact: the attempt's.
        shared: the migration's.
        whole: the exchange bucket.
    """
    before = [place for place in chain.read(shared)["artifacts"] if place != artifact.prefix]
    found = {}
    for task, dag in _TASKS.items():
        steps = [whole.read(f"{place}/{layout.result(task)}") or {} for place in before]
        steps += [_of_run(migration, artifact, task, run) for run in _steps(migration, dag, before)]
        last = _of_run(migration, artifact, task, dag)
        done = [step for step in steps if step]
        if task == "verify":
            found[task] = _compared([*done, last]) if last or not all(step.get("verified") for step in done) else {}
        else:
            found[task] = _with_lists([*done, last]) if last else {}
    return found


def _steps(migration: Migration, dag: str, before: Sequence[str]) -> list[str]:
    """The runs of this attempt before the delta's whose artifacts are not in `before`."""
    own = [run for run in runs.all_of(migration) if runs.dag_of(run) == dag and runs.step_of(run)]
    return [run for run in own if runs.artifact_of(migration, run) not in before]


def _of_run(migration: Migration, artifact: Store, task: str, run: str) -> Result:
    """Of this attempt's run only: an artifact can hold the result of another one."""
    return runs.results(artifact, run, runs.run_id(migration, run)).get(task, {})


def _with_lists(found: Sequence[Result]) -> Result:
    lists = {
        name: list({str(line): line for step in found for line in step[name]}.values())
        for name in _LISTS
        if any(isinstance(step.get(name), list) for step in found)
    }
    return {**found[-1], **lists}


def _compared(found: Sequence[Result]) -> Result:
    """A row that went again, because it had changed, counts each time."""
    tables: dict[str, dict[str, Any]] = {}
    for step in found:
        for name, table in (step.get("tables") or {}).items():
            tables[name] = _added(tables[name], table) if name in tables else dict(table)
    verified = all(step.get("verified") for step in found)
    return {**found[-1], "tables": tables, "verified": verified}


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: _sum(one.get(name), other.get(name)) for name in _COUNTS}
    return {**other, **counts, "match": bool(one.get("match")) and bool(other.get("match"))}


def _sum(*values: int | None) -> int | None:
    known: Iterable[int] = [value for value in values if value is not None]
    return sum(known) if known else None
