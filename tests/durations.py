"""What each file of tests took when that was last recorded, and the order that this gives the next run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Seconds by file, from `make test RECORD=1`. They order a run; nothing is measured by them.
RECORDED = Path(__file__).with_name("durations.json")
#: What a file counts that was never recorded: it may be long, so the short ones come after it.
_UNKNOWN = 30.0


@dataclass
class Cost:
    """What the tests of a file took, in seconds; `processor` is what their process and its ended children used."""

    tests: int = 0
    seconds: float = 0.0
    processor: float = 0.0


def file_of(test: str) -> str:
    """The file in a test's id."""
    return test.split("::", 1)[0]


def read() -> dict[str, float]:
    recorded: dict[str, float] = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    return recorded


def write(costs: Mapping[str, Cost], root: Path = RECORDED.parent.parent) -> None:
    """Records what ran; what else was recorded stays, as long as its file is there."""
    before = {file: seconds for file, seconds in read().items() if (root / file).exists()}
    seconds = before | {file: round(cost.seconds, 1) for file, cost in costs.items()}
    RECORDED.write_text(json.dumps(dict(sorted(seconds.items())), indent=2) + "\n", encoding="utf-8")


def longest_first(files: Iterable[str], recorded: Mapping[str, float]) -> dict[str, int]:
    """The files' places in the order of a run."""
    ordered = sorted(set(files), key=lambda file: (-recorded.get(file, _UNKNOWN), file))
    return {file: place for place, file in enumerate(ordered)}


def table(costs: Mapping[str, Cost], number: int) -> list[str]:
    """The lines of a table of the files that took longest."""
    longest = sorted(costs.items(), key=lambda item: -item[1].seconds)[:number]
    rows = [f"{cost.seconds:9.1f}{cost.processor:11.1f}{cost.tests:7}  {file}" for file, cost in longest]
    return [f"{'seconds':>9}{'processor':>11}{'tests':>7}  file", *rows]
