"""How a migration looks in a terminal while it runs, and the summary at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class ProgressDisplay:
    """Live in a terminal; elsewhere a line for each phase that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._spinner = Spinner("dots")
        self._told: set[str] = set()

    def __enter__(self) -> ProgressDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, state: str, phases: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> None:
        """
        Args:
            state: the state that the execution is in.
            phases: {"name", "started", "ended" or None, "seconds"}, in order.
            rows: {"exported": 120, "merged": 118}, as far as known.
        """
        if self._live is not None:
            self._live.update(self._render(state, phases, rows))
            return
        for phase in phases:
            if phase["ended"] and phase["name"] not in self._told:
                self._told.add(phase["name"])
                self._console.print(f"          {phase['name']}: {phase['seconds']:.1f} s", highlight=False)

    def _render(self, state: str, phases: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=2)
        table.add_column(min_width=24)
        table.add_column(justify="right", min_width=9)
        for phase in phases:
            done = bool(phase["ended"])
            mark: RenderableType = Text("✓", style="green") if done else self._spinner
            seconds = float(phase["seconds"]) if done else _since(str(phase["started"]))
            table.add_row(mark, str(phase["name"]), f"{seconds:.1f} s")
        counted = "  ".join(f"{count:,} rows {what}" for what, count in rows.items())
        elapsed = time.monotonic() - self._started
        return Group(table, Text(f"{state or 'starting'}  {elapsed:.0f} s  {counted}", style="dim"))


def summary(report: Mapping[str, Any]) -> RenderableType:
    """The tables, the phases and the numbers of a report."""
    tables = Table(title="Tables", title_justify="left")
    for name in ("table", "exported", "merged", "kept", "set aside", "match"):
        tables.add_column(name, justify="left" if name in ("table", "match") else "right")
    for name, row in (report.get("tables") or {}).items():
        match = Text("yes", style="green") if row.get("match") else Text("NO", style="bold red")
        counts = (row.get(key) for key in ("exported", "merged", "kept", "set_aside"))
        numbers = ["" if count is None else f"{count:,}" for count in counts]
        tables.add_row(str(name), *numbers, match)
    phases = Table(title="Phases", title_justify="left", box=None, show_header=False)
    for phase in report.get("phases") or []:
        phases.add_row(str(phase["name"]), f"{phase['seconds']:.1f} s")
    status = str(report.get("status"))
    facts = Text()
    facts.append(status, style="bold green" if status == "SUCCEEDED" else "bold red")
    facts.append(f"  {' -> '.join(report.get('path') or [])}")
    if "downtime_seconds" in report:
        facts.append(f"  downtime {report['downtime_seconds']:.0f} s")
    dags, logs = report.get("dags") or {}, report.get("logs") or {}
    lines = [
        f"DAGs: {dags.get('source')} in the source, {dags.get('parsed_in_target')} in the target, "
        f"{len(dags.get('import_errors') or [])} import errors",
        f"Logs: {logs.get('streams', 0)} streams, {logs.get('events_copied', 0)} of {logs.get('events_source', 0)} "
        f"events copied, {logs.get('events_archived', 0)} archived, {logs.get('events_lost', 0)} lost",
    ]
    return Group(phases, tables, *(Text(line) for line in lines), facts)


def _since(started: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds())
