"""What a report says, counted once for all of its forms, from `report.json` and nothing else.

Parts that a report does not have (checks, earlier rehearsals, a price) are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from migration import phase_names, wording

Report = Mapping[str, Any]

#: The DAGs are paused from the first of these on, and to the end of the last of those.
_PAUSED_FROM = (phase_names.QUIESCE, phase_names.EXPORT)
_PAUSED_TO = (phase_names.CUT_OVER, phase_names.ROLL_BACK)


class Span(NamedTuple):
    """A phase on the time line; seconds since the first one's start. `paused`: the source's DAGs did not run."""

    name: str
    start: float
    seconds: float
    paused: bool


class TableRow(NamedTuple):
    """A table's rows. `match` is None where it was not compared."""

    name: str
    exported: int | None
    merged: int | None
    kept: int | None
    set_aside: int | None
    match: bool | None


def is_rehearsal(report: Report) -> bool:
    return bool(report.get("mode") == "rehearse")


def is_roll_back(report: Report) -> bool:
    """A migration that was taken back by hand."""
    return bool(report.get("mode") == "rollback")


def kind(report: Report) -> str:
    return "Rehearsal" if is_rehearsal(report) else "Rollback" if is_roll_back(report) else "Migration"


def table_rows(report: Report) -> list[TableRow]:
    """What is not equal first, then what has most rows."""
    rows = [
        TableRow(
            name,
            table.get("exported"),
            table.get("merged"),
            table.get("kept"),
            table.get("set_aside"),
            table.get("match"),
        )
        for name, table in (report.get("tables") or {}).items()
    ]
    return sorted(rows, key=lambda row: (bool(row.match), -(row.exported or 0), row.name))


def total(report: Report, field: str) -> int:
    """Rows over all tables; `field` is one of `exported`, `merged`, `kept`, `set_aside`."""
    return sum(table.get(field) or 0 for table in (report.get("tables") or {}).values())


def spans(report: Report) -> list[Span]:
    """The phases on one time line. Where a report does not say when they started, one after the other."""
    phases = report.get("phases") or []
    names = [phase["name"] for phase in phases]
    first = next((index for index, name in enumerate(names) if name in _PAUSED_FROM), len(names))
    last = max((index for index, name in enumerate(names) if name in _PAUSED_TO), default=len(names) - 1)
    line: list[Span] = []
    end = 0.0
    for index, phase in enumerate(phases):
        started = phase.get("started")
        start = _since(phases[0]["started"], started) if started else end
        end = start + phase["seconds"]
        line.append(Span(phase["name"], start, float(phase["seconds"]), first <= index <= last))
    return line


def downtime(report: Report) -> str:
    """The downtime in words; where a smaller class was rehearsed on, it is the most to expect."""
    took = wording.duration(report["downtime_seconds"])
    return f"{took} at most" if on_smaller_class(report) else took


def way_in(report: Report) -> str:
    """By which way the import reached the target's metadata database; empty where it did not."""
    way = str(report.get("way_in") or "")
    return "Airflow's own engine" if way == "airflow" else way


def on_smaller_class(report: Report) -> bool:
    """Whether a rehearsal's target was of a smaller class than the migration's will be."""
    return "environment_class_on_the_day" in report


def duration(report: Report) -> float:
    """Seconds from the first phase's start to the last one's end."""
    return max((span.start + span.seconds for span in spans(report)), default=0.0)


def day(time: str) -> str:
    """`25 Nov 2026, 02:10 UTC`."""
    at = datetime.fromisoformat(time)
    zone = " UTC" if at.utcoffset() == timedelta(0) else at.strftime(" %z")
    return f"{at.day} {at:%b %Y, %H:%M}{zone}"


def _since(first: str, then: str) -> float:
    return max((datetime.fromisoformat(then) - datetime.fromisoformat(first)).total_seconds(), 0.0)
