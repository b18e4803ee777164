"""The report for a chat or an issue: Markdown that stays readable where nobody renders it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migration import wording
from migration.report import facts, judging
from migration.report.facts import Report
from migration.report.judging import Judgement

_FINDINGS = 10
_PLACES = 3
_QUOTE = 150
_NAME = 100
_SIGNS = {judging.PASS: "\N{WHITE HEAVY CHECK MARK}", judging.WARN: "\N{WARNING SIGN}", judging.FAIL: "\N{CROSS MARK}"}


def render(report: Report) -> str:
    """A summary that fits a chat's message. Values are escaped: they cannot add markup, links or mentions."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    source, target = report["source"], report["target"]
    yield f"## {_SIGNS[judging.verdict(report)]} {judging.headline(report)}"
    yield ""
    path = _escaped(" \N{RIGHTWARDS ARROW} ".join(report["path"]))
    yield f"{_code(source['environment'])} to {_code(target['environment'])}, Airflow {path}"
    yield ""
    yield _escaped(judging.explanation(report))
    yield ""
    expected = "Downtime to expect" if facts.is_rehearsal(report) else "Downtime"
    whole = wording.duration(facts.duration(report))
    yield f"- {expected}: {facts.downtime(report)} ({whole} from start to end)"
    if report.get("price_usd") is not None:
        on_the_day = report.get("price_on_the_day_usd")
        then = "" if on_the_day is None else f" ({wording.dollars(on_the_day)} on the day)"
        yield f"- Price of the target's hours: {wording.dollars(report['price_usd'])}{then}"
    earlier = judging.rehearsals(report)[:-1]
    if earlier:
        before = wording.duration(earlier[-1]["downtime_seconds"])
        yield f"- The rehearsal before: {before} ({wording.counted(len(earlier), 'earlier rehearsal')})"
    if report.get("tables"):
        tables = sum(1 for row in facts.table_rows(report) if row.exported)
        rows = wording.counted(facts.total(report, "exported"), "row")
        yield f"- History and settings: {rows} in {wording.counted(tables, 'table')}"
    if facts.way_in(report):
        yield f"- Way into the target's database: {_escaped(facts.way_in(report))}"
    logs = report["logs"]
    if logs.get("events_source"):
        copied, archived, lost = (wording.count(logs[f"events_{name}"]) for name in ("copied", "archived", "lost"))
        events = wording.counted(logs["events_source"], "event")
        yield f"- Logs: {copied} of {events} copied, {archived} archived, {lost} lost"
    yield from _findings([finding for finding in judging.judgements(report) if finding.level != judging.PASS])
    yield ""
    yield f"Migration {_code(report['migration_id'])}, {facts.day(report['time'])}"


def _findings(found: list[Judgement]) -> Iterator[str]:
    if not found:
        return
    yield ""
    for finding in found[:_FINDINGS]:
        title = _escaped(_short(finding.title, _NAME))
        text = _escaped(_short(f"{finding.message} {finding.remedy}", 2 * _QUOTE))
        yield f"- {_SIGNS[finding.level]} **{title}** {text}".rstrip()
        for place in finding.places[:_PLACES]:
            parts = [_code(_short(place.where, _NAME))] if place.where else []
            yield " ".join(["  -", *parts, _escaped(_short(place.message or place.remedy, _QUOTE))]).rstrip()
        if len(finding.places) > _PLACES:
            yield f"  - {len(finding.places) - _PLACES} more"
    if len(found) > _FINDINGS:
        yield f"- {len(found) - _FINDINGS} more findings"


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _escaped(text: str) -> str:
    """Text that means nothing to Markdown, HTML or a chat's mentions."""
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", " ".join(entities.split()))
    # An invisible joint keeps a chat from calling everybody.
    return marked.replace("@", "@\N{WORD JOINER}")


def _code(text: str) -> str:
    """Text as code, with a fence longer than any in it."""
    line = " ".join(text.split()).replace("@", "@\N{WORD JOINER}")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"
