"""The report as a page: one HTML file that needs no network, no script and no reader's trust in what it quotes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from migration import wording
from migration.report import facts, judging, plots
from migration.report.facts import Report
from migration.report.judging import Judgement, Place

# Findings quote DAGs and their traces, of which nobody limits number and length. In bytes of HTML.
_QUOTED = 1_200_000
_DETAIL = 4_000
_MESSAGE = 1_000
_PER_PLACE = 120


class Figure(NamedTuple):
    """A number with its name; `bad` where it is one that should not be."""

    name: str
    value: str
    beside: str = ""
    bad: bool = False


class Shown(NamedTuple):
    """A finding as the page has it; `hidden` places were too many."""

    level: str
    title: str
    message: str
    remedy: str
    places: tuple[Place, ...]
    hidden: int


def render(report: Report) -> str:
    """The page for a report that fits `report.schema.json`. It is at most 2 MB."""
    found = _fitting(judging.judgements(report))
    spans, rehearsals, rows = facts.spans(report), judging.rehearsals(report), facts.table_rows(report)
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            verdict=judging.verdict(report),
            headline=judging.headline(report),
            explanation=judging.explanation(report),
            kind=facts.kind(report),
            is_rehearsal=facts.is_rehearsal(report),
            figures=_figures(report),
            problems=[finding for finding in found if finding.level != judging.PASS],
            passed=[finding for finding in found if finding.level == judging.PASS],
            timeline=plots.timeline(spans),
            pauses=any(span.paused for span in spans),
            downtimes=plots.downtimes(rehearsals),
            rehearsals=rehearsals,
            priced=any("price_usd" in item for item in rehearsals),
            levels=[level for level in plots.LEVELS if any(item["verdict"] == level for item in rehearsals)],
            filled=[row for row in rows if row.exported or not row.match],
            empty=[row.name for row in rows if not row.exported and row.match],
            logs=_logs(report),
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": wording.count,
        "counted": wording.counted,
        "dollars": wording.dollars,
        "duration": wording.duration,
        "day": facts.day,
    }
    return environment


def _printable(value: Any) -> Any:
    """What a template puts out, without what HTML cannot hold."""
    if not isinstance(value, str):
        return value
    clean: str = wording.printable(value)
    # bandit: what was markup stays markup, and nothing else becomes it.
    return Markup(clean) if isinstance(value, Markup) else clean  # nosec B704


def _figures(report: Report) -> Iterator[Figure]:
    phases = {phase["name"] for phase in report.get("phases") or []}
    if "export" in phases and not facts.is_roll_back(report):
        expected = "Downtime to expect" if facts.is_rehearsal(report) else "Downtime"
        used = f"at most; seen on {report['environment_class']}" if facts.on_smaller_class(report) else ""
        yield Figure(expected, wording.duration(report["downtime_seconds"]), used)
    yield Figure("From start to end", wording.duration(facts.duration(report)))
    if report.get("tables"):
        yield Figure("Rows", wording.count(facts.total(report, "exported")))
    if facts.way_in(report):
        yield Figure("Way into the database", facts.way_in(report), "of the target, for the import")
    dags = report.get("dags") or {}
    if dags.get("source") is not None:
        parsed = dags.get("parsed_in_target")
        known = wording.count(dags["source"])
        yield Figure("DAGs", known, "" if parsed is None else f"{wording.count(parsed)} in the target")
    if report["logs"]["events_source"]:
        yield Figure("Log events", wording.count(report["logs"]["events_source"]))
    if report.get("price_usd") is not None:
        on_the_day = report.get("price_on_the_day_usd")
        then = "" if on_the_day is None else f"; {wording.dollars(on_the_day)} on the day"
        yield Figure("Price", wording.dollars(report["price_usd"]), f"of the target's hours{then}")


def _logs(report: Report) -> list[Figure]:
    logs = report["logs"]
    if not any(logs.get(name) for name in ("streams", "events_source", "events_copied", "events_archived")):
        return []
    named = (
        ("Streams", "streams"),
        ("Events in the source", "events_source"),
        ("Copied", "events_copied"),
        ("Archived", "events_archived"),
        ("Lost", "events_lost"),
    )
    return [
        Figure(name, wording.count(logs.get(field)), bad=field == "events_lost" and bool(logs.get(field)))
        for name, field in named
    ]


def _fitting(found: Sequence[Judgement]) -> list[Shown]:
    """The findings with as many places as the page has room for; each gets its share."""
    shown: list[Shown] = []
    left = _QUOTED
    for index, finding in enumerate(found):
        share = left // (len(found) - index)
        places, used = _places(finding.places, share)
        left -= used
        message = wording.cut(finding.message, _DETAIL)
        hidden = len(finding.places) - len(places)
        shown.append(Shown(finding.level, finding.title, message, finding.remedy, places, hidden))
    return shown


def _places(places: Sequence[Place], room: int) -> tuple[tuple[Place, ...], int]:
    """As many as fit, and the bytes that they take."""
    fitting: list[Place] = []
    used = 0
    for place in places:
        cut = Place(
            where=wording.cut(place.where, _MESSAGE),
            message=wording.cut(place.message, _MESSAGE),
            remedy=wording.cut(place.remedy, _MESSAGE),
            detail=wording.cut(place.detail, _DETAIL),
        )
        size = _PER_PLACE + sum(len(escape(text).encode("utf-8", "replace")) for text in cut)
        if used + size > room:
            break
        used += size
        fitting.append(cut)
    return tuple(fitting), used
