"""What was measured, as `build/bench.json` and as the table in docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN = "<!-- results: written by `make bench` -->"
END = "<!-- end of results -->"


class MarkersMissing(Exception):
    """The page has no place for the table."""


@dataclass(frozen=True)
class Result:
    """One row. `bar` is the most that `value` may be; None where there is no limit."""

    name: str
    value: float
    unit: str
    bar: float | None = None

    @property
    def ok(self) -> bool:
        return self.bar is None or self.value <= self.bar


def write_json(results: Sequence[Result], path: Path) -> None:
    """Writes `[{"name", "value", "unit", "bar", "ok"}]`."""
    rows = [
        {
            "name": result.name,
            "value": round(result.value, 3),
            "unit": result.unit,
            "bar": result.bar,
            "ok": result.ok,
        }
        for result in results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")


def table(results: Sequence[Result]) -> str:
    """A Markdown table with a line for each result."""
    lines = ["| what | measured | at most |", "| --- | ---: | ---: |"]
    for result in results:
        bar = "" if result.bar is None else _quantity(result.bar, result.unit)
        missed = "" if result.ok else " **missed**"
        lines.append(f"| {result.name} | {_quantity(result.value, result.unit)}{missed} | {bar} |")
    return "\n".join(lines)


def write_page(results: Sequence[Result], conditions: str, page: Path, begin_line: str = BEGIN) -> None:
    """Replaces what lies between the page's markers by the conditions of the run and its table.

    The markers are `begin_line` and the next `END`.

    Raises:
        MarkersMissing: the page has no such markers.
    """
    text = page.read_text()
    before, begin, rest = text.partition(begin_line)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissing(f"{page.name} has no lines {begin_line} and {END}; put them where the results belong")
    page.write_text(f"{before}{begin_line}\n\n{conditions}\n\n{table(results)}\n\n{END}{after}")


def _quantity(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value:.2f}"
    digits = 0 if value >= 100 else 1
    return f"{value:.{digits}f} {unit}"
