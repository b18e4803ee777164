"""Findings as a table for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .finding import Finding

_STOPS = "stops"
_STYLES = {"expected": "green", "different": "dark_orange", "unknown": "dark_orange", _STOPS: "bold red"}


def show(findings: Sequence[Finding]) -> None:
    """Prints the findings, and what those mean that are not as expected."""
    console = Console()
    table = Table(box=None, pad_edge=False)
    for name in ("check", "about", "answer", "found"):
        table.add_column(name, header_style="dim", overflow="fold")
    for finding in findings:
        answer = _STOPS if finding.stops else finding.answer
        table.add_row(finding.check.name, Text(finding.about), Text(answer, _STYLES[answer]), Text(finding.found))
    console.print(table)
    for check in dict.fromkeys(finding.check for finding in findings if finding.answer == "different"):
        console.print(Text(f"\n{check.name}: {check.question}", style="bold"))
        console.print(Text(f"Expected: {check.expected}."))
        console.print(Text(check.meaning))


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects, one for each finding."""
    return json.dumps([_plain(finding) for finding in findings], indent=2) + "\n"


def _plain(finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {
        "check": check.name,
        "about": finding.about,
        "question": check.question,
        "expected": check.expected,
        "answer": finding.answer,
        "found": finding.found,
        "meaning": check.meaning if finding.answer == "different" else None,
        "stops": finding.stops,
    }
