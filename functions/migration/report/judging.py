"""The verdict of a report, in a word, a sentence and a list of what led to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from migration import wording
from migration.report import facts
from migration.report.facts import Report

PASS, WARN, FAIL = "pass", "warn", "fail"
_ORDER = {FAIL: 0, WARN: 1, PASS: 2}


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


def verdict(report: Report) -> str:
    """`pass`, `warn` or `fail`: the report's own, or that of its worst judgement."""
    if report.get("verdict") in _ORDER:
        return str(report["verdict"])
    return min((judgement.level for judgement in judgements(report)), key=_ORDER.__getitem__, default=PASS)


def headline(report: Report) -> str:
    """The verdict in a few words."""
    failed, judged = report.get("status") != "SUCCEEDED", verdict(report)
    if facts.is_roll_back(report):
        return "Rollback failed" if failed else "Rolled back"
    if facts.is_rehearsal(report):
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
        if report.get("roll_back_failure") or facts.is_roll_back(report):
            sentences.append("The source could not be put back as it was.")
        elif not facts.is_rehearsal(report):
            sentences.append("The source is as it was before.")
    elif facts.is_roll_back(report):
        sentences.append("The source is as it was before.")
    if facts.is_roll_back(report):
        return " ".join(sentences)
    rows = wording.counted(facts.total(report, "exported"), "row")
    if report.get("verified") and all(row.match for row in facts.table_rows(report)):
        sentences.append(f"All {rows} exported are in the target, with equal checksums.")
    elif report.get("tables"):
        sentences.append("Some exported rows are missing from the target or differ there.")
    elif not report.get("failure"):
        sentences.append("The tables were not compared.")
    if facts.on_smaller_class(report):
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
    if facts.is_roll_back(report):
        # Its numbers are those of the migration that was taken back.
        return
    different = [row.name for row in facts.table_rows(report) if row.match is False]
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
    dags = {} if report.get("checks") and facts.is_rehearsal(report) else report.get("dags") or {}
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
    if (runs or tasks) and not facts.is_rehearsal(report):
        yield Judgement(
            WARN,
            f"{wording.counted(runs, 'DAG run')} unfinished",
            f"{wording.counted(runs, 'run')} and {wording.counted(tasks, 'task instance')} had not ended when the "
            "history was read; they are in the target as they were then.",
            "Clear them in the target, or mark them as failed there.",
        )


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
