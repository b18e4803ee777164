"""The tables in docs/faults.md: how often each fault struck, and how those migrations ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chaos.faults import KINDS
from chaos.real_kinds import REAL_KINDS
from local.installations.folders import ROOT

#: The prefix of the keys of migrations on real Airflow in build/chaos.json.
REAL = "real-"
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
    """A sentence and a table of the migrations without a scheduler; the same of those on real Airflow, if any."""
    real = [outcome for key, outcome in kept.items() if key.startswith(REAL)]
    others = [outcome for key, outcome in kept.items() if not key.startswith(REAL)]
    text = f"{len(others)} migrations: {_of(others, KINDS)}"
    return f"{text}\n\nOn real Airflow, {len(real)} migrations: {_of(real, REAL_KINDS)}" if real else text


def _of(outcomes: list[dict[str, Any]], kinds: Iterable[str]) -> str:
    injected: Counter[str] = Counter()
    ended: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        for kind in outcome["struck"]:
            injected[kind] += 1
            ended[kind, "broken" if outcome["broken"] else outcome["status"]] += 1
    succeeded = sum(outcome["status"] == "SUCCEEDED" for outcome in outcomes)
    broken = sum(bool(outcome["broken"]) for outcome in outcomes)
    lines = [
        f"{succeeded} SUCCEEDED with everything verified, {len(outcomes) - succeeded} FAILED; {broken} broke a rule.",
        "",
        "| fault | migrations it struck | succeeded | failed, rolled back | broke a rule |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in kinds:
        counts = [injected[kind], *(ended[kind, how] for how in ("SUCCEEDED", "FAILED", "broken"))]
        lines.append(f"| {kind} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)
