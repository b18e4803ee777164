"""The table in docs/faults.md: how often each fault was injected, and how those migrations ended."""

from __future__ import annotations

from collections import Counter
from typing import Any

from local.airflow_installation import ROOT
from tests.chaos.faults import KINDS

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- faults: written by `make chaos` -->", "<!-- end of faults -->"


def write(kept: dict[str, Any]) -> None:
    """Renews the page from the outcomes of build/chaos.json."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no lines {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(kept)}\n\n{END}{after}", encoding="utf-8")


def table(kept: dict[str, Any]) -> str:
    outcomes = list(kept.values())
    injected: Counter[str] = Counter()
    ended: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        for kind in outcome["struck"]:
            injected[kind] += 1
            ended[kind, "broken" if outcome["broken"] else outcome["status"]] += 1
    succeeded = sum(outcome["status"] == "SUCCEEDED" for outcome in outcomes)
    broken = sum(bool(outcome["broken"]) for outcome in outcomes)
    lines = [
        f"{len(outcomes)} migrations: {succeeded} SUCCEEDED with everything verified, {len(outcomes) - succeeded} "
        f"FAILED; {broken} broke a rule.",
        "",
        "| fault | migrations it struck | succeeded | failed, rolled back | broke a rule |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        counts = [injected[kind], *(ended[kind, how] for how in ("SUCCEEDED", "FAILED", "broken"))]
        lines.append(f"| {kind} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)
