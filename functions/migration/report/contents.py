"""What the report says, made from what the phases left in the exchange bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from migration import phase_names
from migration.checks.check_results import Check
from migration.failure import Failure, failure_of
from migration.model import Migration, Phase
from migration.report.price import Price
from migration.times import now, seconds_between, shifted

# From the first paused DAG of the source to the last unpaused one of the target. The export's run quiesces first; only
# `timeline` tells the two apart.
_DOWNTIME_STARTS = phase_names.EXPORT
_DOWNTIME_ENDS = phase_names.CUT_OVER
_TABLE_FIELDS = ("exported", "merged", "kept", "set_aside", "checksum_source", "checksum_target", "match")
_NO_LOGS = {"streams": 0, "events_source": 0, "events_copied": 0, "events_archived": 0, "events_lost": 0}


def unchecked(caught: Iterable[Mapping[str, str]]) -> list[Check]:
    """A check that warns for each state of checks that failed, from what the Catches kept."""
    failures = [failure for failure in map(failure_of, caught) if failure is not None]
    return [
        Check(
            name=f"{failure['state']} was not made",
            result="warn",
            message=f"{failure['error']}: {failure['message']}",
            remedy="The run continued without this check. Fix the cause and rehearse again.",
        )
        for failure in failures
    ]


def make(
    migration: Migration,
    *,
    failure: Failure | None,
    roll_back_failure: Failure | None,
    phases: list[Phase],
    results: Mapping[str, Mapping[str, Any]],
    logs: Mapping[str, Any] | None,
    dags: Mapping[str, Any],
    cost: Price | None,
    checked: list[Check],
    notes: Iterable[str],
) -> dict[str, Any]:
    """The report as it is written: field names are Airflow's and this project's, in snake case."""
    imported, verified = results["import"], results["verify"]
    source, target = migration["source"], migration["target"]
    return {
        "status": "FAILED" if failure else "SUCCEEDED",
        "migration_id": migration["id"],
        "attempt": migration["attempt"],
        "mode": "rollback" if migration["rollBack"] else migration["mode"],
        "time": now(),
        "source": _side(source["environment"], source["region"], source["airflowVersion"]),
        "target": _side(target["environment"], target["region"], target["airflowVersion"]),
        "path": migration["path"],
        **_way_in(imported),
        **_cut_over_way(results),
        "artifact": migration["artifact"],
        "failure": failure,
        "roll_back_failure": roll_back_failure,
        "phases": [
            {"name": phase["name"], "started": phase["started"], "seconds": phase["seconds"]}
            for phase in timeline(phases, results)
        ],
        "downtime_seconds": downtime(phases),
        **_classes(migration),
        **({"price_usd": cost.usd, "price_basis": cost.basis} if cost else {}),
        **({"price_on_the_day_usd": cost.on_the_day} if cost and cost.on_the_day is not None else {}),
        "tables": {
            name: {field: table.get(field) for field in _TABLE_FIELDS}
            for name, table in sorted(verified.get("tables", {}).items())
        },
        "verified": bool(verified.get("verified", False)),
        "unfinished": results["export"].get("unfinished"),
        "logs": {**_NO_LOGS, **(logs or {})},
        "dags": dict(dags),
        # Without checks a report has none, and its verdict follows from its numbers.
        **({"checks": checked} if checked else {}),
        "notes": list(notes),
    }


def timeline(phases: list[Phase], results: Mapping[str, Mapping[str, Any]]) -> list[Phase]:
    """The phases in their order; what the engine measured inside our runs stands as phases of its own.

    The export's run quiesces and drains first, the import's run verifies at its end. An unfinished phase has the time
    until now.
    """
    line: list[Phase] = []
    for phase in phases:
        started = phase["started"]
        seconds = phase["seconds"] if phase["ended"] else seconds_between(phase["started"], now())
        if phase["name"] == phase_names.EXPORT:
            quiesce = _seconds(results, "quiesce") + _seconds(results, "drain")
            if quiesce:
                ended = shifted(started, quiesce)
                line.append({**phase, "name": phase_names.QUIESCE, "ended": ended, "seconds": round(quiesce, 3)})
            seconds, started = max(seconds - quiesce, 0.0), shifted(started, quiesce)
        elif phase["name"] == phase_names.IMPORT:
            seconds = max(seconds - _seconds(results, "verify"), 0.0)
        elif phase["name"] == phase_names.VERIFY:
            inside = _seconds(results, "verify")
            seconds, started = seconds + inside, shifted(started, -inside)
        line.append({**phase, "started": started, "seconds": round(seconds, 3)})
    return line


def downtime(phases: list[Phase]) -> float:
    """Seconds during which no DAG ran anywhere; in a rehearsal, which pauses nothing, those to expect.

    From the export's start to the cut-over's end, or to the end of the last phase before the report.
    """
    by_name = {phase["name"]: phase for phase in phases}
    if _DOWNTIME_STARTS not in by_name:
        return 0.0
    started = by_name[_DOWNTIME_STARTS]["started"]
    last = by_name.get(phase_names.ROLL_BACK) or by_name.get(_DOWNTIME_ENDS)
    ends = [last] if last else phases
    ended = max((phase["ended"] or now() for phase in ends), default=started)
    return max(seconds_between(started, ended), 0.0)


def _classes(migration: Migration) -> dict[str, str]:
    """The classes of a rehearsal's target and of the migration's, where they differ."""
    used, on_the_day = migration["targetClass"], migration["classOnTheDay"]
    if not used or not on_the_day or used == on_the_day:
        return {}
    return {"environment_class": used, "environment_class_on_the_day": on_the_day}


def _way_in(imported: Mapping[str, Any]) -> dict[str, str]:
    """By which way the import reached the database; nothing where it did not."""
    way_in = (imported.get("target") or {}).get("way_in")
    return {"way_in": way_in} if way_in else {}


def _cut_over_way(results: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """How the target's DAGs were unpaused; nothing where they were not, or none was active."""
    way = results.get("cut over", {}).get("way")
    return {"cut_over_way": way} if way else {}


def _side(name: str, region: str, version: str) -> dict[str, str]:
    return {"environment": name, "region": region, "airflow_version": version}


def _seconds(results: Mapping[str, Mapping[str, Any]], name: str) -> float:
    return float(results.get(name, {}).get("seconds") or 0.0)
