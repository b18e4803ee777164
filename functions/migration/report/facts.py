"""What a report says, judged and counted once for all of its forms, from `report.json` and nothing else.

Parts that a report does not have (checks, earlier rehearsals, a price) are empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from migration import phase_names, wording

Report = Mapping[str, Any]

PASS, WARN, FAIL = "pass", "warn", "fail"
_ORDER = {FAIL: 0, WARN: 1, PASS: 2}
#: The DAGs are paused from the first of these on, and to the end of the last of those.
_PAUSED_FROM = (phase_names.QUIESCE, phase_names.EXPORT)
_PAUSED_TO = (phase_names.CUT_OVER, phase_names.ROLL_BACK)


class Place(NamedTuple):
    """One thing that a judgement is about; empty where the report does not say."""

    where: str
    message: str
    remedy: str = ""
    detail: str = ""


class Judgement(NamedTuple):
    """A check or a number of the report, judged. `level` is `pass`, `warn` or `fail`; `remedy` is what to do."""

    level: str
    title: str
    message: str
    remedy: str = ""
    places: tuple[Place, ...] = ()


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


def verdict(report: Report) -> str:
    """`pass`, `warn` or `fail`: the report's own, or that of its worst judgement."""
    if report.get("verdict") in _ORDER:
        return str(report["verdict"])
    return min((judgement.level for judgement in judgements(report)), key=_ORDER.__getitem__, default=PASS)


def headline(report: Report) -> str:
    """The verdict in a few words."""
    failed, judged = report.get("status") != "SUCCEEDED", verdict(report)
    if is_roll_back(report):
        return "Rollback failed" if failed else "Rolled back"
    if is_rehearsal(report):
        if failed or judged == FAIL:
            return "Rehearsal failed"
        return "Rehearsal passed" if judged == PASS else "Rehearsal passed, with warnings"
    if failed:
        return "Migration failed"
    return {PASS: "Migrated and verified", WARN: "Migrated, with warnings", FAIL: "Migrated, with errors"}[judged]


def explanation(report: Report) -> str:
    """The verdict in a sentence or two."""
    sentences = []
    if report.get("failure"):
        sentences.append("It stopped in {state} with {error}.".format(**report["failure"]))
        if report.get("roll_back_failure") or is_roll_back(report):
            sentences.append("The source could not be put back as it was.")
        elif not is_rehearsal(report):
            sentences.append("The source is as it was before.")
    elif is_roll_back(report):
        sentences.append("The source is as it was before.")
    if is_roll_back(report):
        return " ".join(sentences)
    rows = wording.counted(total(report, "exported"), "row")
    if report.get("verified") and all(row.match for row in table_rows(report)):
        sentences.append(f"All {rows} exported are in the target, with equal checksums.")
    elif report.get("tables"):
        sentences.append("Some exported rows are missing from the target or differ there.")
    elif not report.get("failure"):
        sentences.append("The tables were not compared.")
    if on_smaller_class(report):
        sentences.append(
            "The real target will be {environment_class_on_the_day}, which is at least as fast as this one's "
            "{environment_class}, so this downtime is an upper bound.".format(**report)
        )
    return " ".join(sentences)


def judgements(report: Report) -> list[Judgement]:
    """Everything that was judged, the worst first."""
    return sorted([*_own_judgements(report), *_checks(report)], key=lambda judgement: _ORDER[judgement.level])


def _checks(report: Report) -> Iterator[Judgement]:
    for check in report.get("checks") or []:
        places = tuple(
            Place(
                where=_where(item),
                message=item.get("message") or "",
                remedy=item.get("remedy") or "",
                detail=item.get("detail") or "",
            )
            for item in check.get("findings") or []
        )
        yield Judgement(check["result"], check["name"], check["message"], check.get("remedy") or "", places)


def _where(item: Mapping[str, Any]) -> str:
    file = item.get("file") or ""
    if file and item.get("line"):
        file = f"{file}:{item['line']}"
    return ", ".join(part for part in (item.get("dag") or "", file) if part)


def _own_judgements(report: Report) -> Iterator[Judgement]:
    """What follows from the report's numbers."""
    failure, roll_back = report.get("failure"), report.get("roll_back_failure")
    if failure:
        yield Judgement(FAIL, f"{failure['error']} in {failure['state']}", failure["message"])
    if roll_back:
        yield Judgement(
            FAIL,
            f"Not rolled back: {roll_back['error']}",
            roll_back["message"],
            "Look at the source now: unpause the DAGs that were active before, and remove our DAG files.",
        )
    if is_roll_back(report):
        # Its numbers are those of the migration that was taken back.
        return
    different = [row.name for row in table_rows(report) if row.match is False]
    if different:
        yield Judgement(
            FAIL,
            f"{wording.counted(len(different), 'table')} not equal",
            f"Source and target differ in {wording.listed(different)}.",
            "Keep the source as it is, and compare these tables before anybody uses the target.",
        )
    elif not report.get("verified") and not failure:
        yield Judgement(
            FAIL, "Not verified", "The tables were not compared.", "Run the comparison before using the target."
        )
    lost = report["logs"]["events_lost"]
    if lost:
        yield Judgement(
            FAIL,
            f"{wording.counted(lost, 'log event')} lost",
            "They are in the source's log groups and not in the target's.",
            "Keep the source's log groups, and copy the logs again.",
        )
    yield from _dag_judgements(report)


def _dag_judgements(report: Report) -> Iterator[Judgement]:
    # A rehearsal's checks say more about DAGs than these numbers. A migration makes its own before its export.
    dags = {} if report.get("checks") and is_rehearsal(report) else report.get("dags") or {}
    errors = dags.get("import_errors") or []
    if errors:
        yield Judgement(
            WARN,
            f"{wording.counted(len(errors), 'DAG file')} cannot be imported",
            f"Airflow {report['target']['airflow_version']} reports an error for each of these files.",
            "Correct each file for the target's version; its DAGs do not run until then.",
            tuple(Place(str(e.get("filepath") or ""), "", "", str(e.get("error") or "")) for e in errors),
        )
    if report.get("failure"):
        # What was rolled back is not complete, and nobody works with it.
        return
    known, parsed = dags.get("source"), dags.get("parsed_in_target")
    if known is not None and parsed is not None and parsed < known:
        yield Judgement(
            WARN,
            f"{wording.counted(known - parsed, 'DAG')} missing in the target",
            f"The source knows {wording.counted(known, 'DAG')}, the target has parsed {wording.count(parsed)}.",
            "Their files may be gone, or not parsed yet: compare the lists of both web servers.",
        )
    unfinished = report.get("unfinished") or {}
    runs, tasks = unfinished.get("dag_runs") or 0, unfinished.get("task_instances") or 0
    # A rehearsal pauses nothing, so there is always something running.
    if (runs or tasks) and not is_rehearsal(report):
        yield Judgement(
            WARN,
            f"{wording.counted(runs, 'DAG run')} unfinished",
            f"{wording.counted(runs, 'run')} and {wording.counted(tasks, 'task instance')} had not ended when the "
            "history was read; they are in the target as they were then.",
            "Clear them in the target, or mark them as failed there.",
        )


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


def rehearsals(report: Report) -> list[Mapping[str, Any]]:
    """The earlier rehearsals, oldest first, and this one at the end; empty where there were none before."""
    earlier = report.get("rehearsals") or []
    if not earlier:
        return []
    this = {
        "time": report["time"],
        "migration_id": report["migration_id"],
        "verdict": verdict(report),
        "downtime_seconds": report["downtime_seconds"],
        **{name: report[name] for name in ("environment_class", "price_usd") if name in report},
    }
    return [*earlier, this]


def day(time: str) -> str:
    """`25 Nov 2026, 02:10 UTC`."""
    at = datetime.fromisoformat(time)
    zone = " UTC" if at.utcoffset() == timedelta(0) else at.strftime(" %z")
    return f"{at.day} {at:%b %Y, %H:%M}{zone}"


def _since(first: str, then: str) -> float:
    return max((datetime.fromisoformat(then) - datetime.fromisoformat(first)).total_seconds(), 0.0)
