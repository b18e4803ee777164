"""How a migration looks in a terminal while it runs, and the summary at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from migration import wording
from migration.report import facts, judging
from migration.report.facts import Span, TableRow
from migration.report.judging import Judgement

from .reminder import Reminder

_BAR = 36
_PLACES = 5
_TEXT = 2000
_COLOURS = {judging.PASS: "green", judging.WARN: "dark_orange", judging.FAIL: "red"}


class ProgressDisplay:
    """Live in a terminal; elsewhere a line for each phase that begins, one when it has ended, and reminders between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._spinner = Spinner("dots")
        self._told: set[str] = set()
        self._reminder = Reminder(self._say)

    def __enter__(self) -> ProgressDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, state: Callable[[], str], phases: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> None:
        """
        Args:
            state: the state that the execution is in; asked for only if it is shown.
            phases: {"name", "started", "ended" or None, "seconds"}, in order.
            rows: {"exported": 120, "merged": 118}, as far as known.
        """
        if self._live is not None:
            self._live.update(self._render(state(), phases, rows))
            return
        for phase in phases:
            name = str(phase["name"])
            took = wording.duration(float(phase["seconds"])) if phase["ended"] else ""
            line = f"{name}: {took}" if took else f"{name} ..."
            if line not in self._told and name not in self._told:
                self._told.add(name if took else line)
                self._say(line)
                self._reminder.begin(f"after {name}" if took else name)
        self._reminder.remind(state)

    def _say(self, line: str) -> None:
        self._console.print(f"          {line}", highlight=False, markup=False)

    def _render(self, state: str, phases: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False, expand=False)
        table.add_column(width=2)
        table.add_column(min_width=18)
        table.add_column(justify="right", min_width=10)
        table.add_column(width=_BAR)
        # Until now, so that the time line grows while a phase runs.
        line = facts.spans({"phases": [{**phase, "seconds": _seconds(phase)} for phase in phases]})
        end = max((span.start + span.seconds for span in line), default=0.0)
        for phase, span in zip(phases, line, strict=True):
            mark: RenderableType = Text("\N{CHECK MARK}", style="green") if phase["ended"] else self._spinner
            table.add_row(mark, span.name, wording.duration(span.seconds), _bar(span, end))
        counted = "  ".join(f"{count:,} rows {what}" for what, count in rows.items())
        return Group(table, Text(f"{state or 'starting'}  {wording.duration(end)}  {counted}", style="dim"))


def summary(report: Mapping[str, Any]) -> RenderableType:
    """A report in a terminal: phases, tables, logs, what was found, and the verdict last, where one looks."""
    # What a DAG's trace says must not reach the terminal as a command.
    report = wording.printable(report)
    parts: list[RenderableType] = [Text(), _phases(facts.spans(report)), Text(), _tables(facts.table_rows(report))]
    logs, dags = report["logs"], report.get("dags") or {}
    if dags:
        source, target = (wording.count(dags.get(name)) for name in ("source", "parsed_in_target"))
        errors = wording.counted(len(dags.get("import_errors") or []), "import error")
        parts.append(Text(f"DAGs: {source} in the source, {target} in the target, {errors}"))
    if logs.get("events_source"):
        copied, archived, lost = (wording.count(logs.get(f"events_{name}")) for name in ("copied", "archived", "lost"))
        events = wording.counted(logs["events_source"], "event")
        parts.append(Text(f"Logs: {copied} of {events} copied, {archived} archived, {lost} lost"))
    if facts.way_in(report):
        parts.append(Text(f"Way into the target's database: {facts.way_in(report)}"))
    parts += [_finding(finding) for finding in judging.judgements(report) if finding.level != judging.PASS]
    verdict = Text(f"\n{judging.headline(report)}", style=f"bold {_COLOURS[judging.verdict(report)]}")
    path = " \N{RIGHTWARDS ARROW} ".join(report.get("path") or [])
    down = f"  downtime {facts.downtime(report)}" if "downtime_seconds" in report else ""
    return Group(*parts, verdict.append(f"  {path}{down}", style="not bold default"))


def _phases(line: Sequence[Span]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False, title="Phases", title_justify="left")
    end = max((span.start + span.seconds for span in line), default=0.0)
    for span in line:
        table.add_row(span.name, Text(wording.duration(span.seconds), justify="right"), _bar(span, end))
    return table


def _bar(span: Span, end: float) -> Bar:
    """Where a phase lies on the time line; orange while the DAGs are paused."""
    # A phase of a tenth of a second is seen too.
    until = max(span.start + span.seconds, span.start + end / _BAR)
    return Bar(max(end, 0.001), span.start, until, width=_BAR, color="dark_orange" if span.paused else "steel_blue")


def _tables(rows: Sequence[TableRow]) -> RenderableType:
    table = Table(title="Tables", title_justify="left", box=None, pad_edge=False)
    for name in ("table", "exported", "merged", "kept", "set aside", "equal"):
        table.add_column(name, justify="left" if name in ("table", "equal") else "right", header_style="dim")
    for row in rows:
        if row.exported or not row.match:
            equal = Text("yes", style="green") if row.match else Text("NO", style="bold red")
            counts = [wording.count(value) for value in (row.exported, row.merged, row.kept, row.set_aside)]
            table.add_row(Text(row.name), *counts, equal)
    empty = [row.name for row in rows if not row.exported and row.match]
    # Their names are in the report.
    return Group(table, Text(f"{wording.counted(len(empty), 'table')} without rows", style="dim")) if empty else table


def _finding(finding: Judgement) -> RenderableType:
    text = Text(f"\n{finding.level.upper()} ", style=f"bold {_COLOURS[finding.level]}")
    text.append(finding.title, style="bold default")
    for line in (finding.message, finding.remedy):
        if line:
            text.append(f"\n  {wording.cut(line, _TEXT)}", style="not bold default")
    for place in finding.places[:_PLACES]:
        text.append(
            f"\n  {' '.join(part for part in (place.where, place.message) if part)}", style="not bold dim default"
        )
    if len(finding.places) > _PLACES:
        text.append(f"\n  {len(finding.places) - _PLACES} more in the report", style="not bold dim default")
    return text


def _seconds(phase: Mapping[str, Any]) -> float:
    if phase["ended"]:
        return float(phase["seconds"])
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(str(phase["started"]))).total_seconds())
