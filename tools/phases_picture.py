"""Draws the README's picture of a migration's phases, docs/images/phases.svg: `make generate`.

Its colours are read on white and on black, and its letters come from the reader's own fonts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent.parent / "docs" / "images" / "phases.svg"

_WIDTH = 880
_STEP = 110
_HEIGHT = 64
_TIP = 14
_GREY = "#6e7781"


class Stretch(NamedTuple):
    """Phases, each with the state that begins it, and who runs the DAGs in the meantime.

    None stands for a state that is there already: what is done with the base is done again with the delta.
    """

    colour: str
    caption: str
    phases: tuple[tuple[str, str | None], ...]


STRETCHES = (
    Stretch(
        "#0969da",
        "the old environment runs your DAGs",
        (("plan", "Plan"), ("create target", "CreateEnvironment"), ("base", "TriggerRun"), ("logs", "CopyLogsEarly")),
    ),
    Stretch(
        "#bc4c00",
        "no DAG runs: the downtime",
        (("delta", None), ("verify", None), ("cut over", "CutOver")),
    ),
    Stretch("#1a7f37", "the new one runs them", (("report", "Report"),)),
)


def drawn() -> str:
    """The picture as SVG markup."""
    parts: list[str] = []
    number = 0
    for stretch in STRETCHES:
        left, right = number * _STEP, (number + len(stretch.phases)) * _STEP
        for phase, _ in stretch.phases:
            parts += _arrow(number, phase, stretch.colour)
            number += 1
        parts.append(f'<rect x="{left}" y="74" width="{right - left - 6}" height="4" fill="{stretch.colour}"/>')
        # The last caption is longer than its arrow.
        place = f'x="{left}"' if stretch is not STRETCHES[-1] else f'x="{right - 6}" text-anchor="end"'
        parts.append(f'<text {place} y="97" class="caption">{stretch.caption}</text>')
    # Before the target is created there is nothing to put back; after the cut-over a person decides.
    parts.append(f'<path d="M{_STEP} 114 v8 H{number * _STEP - _STEP - 6} v-8" class="line"/>')
    middle = number * _STEP // 2
    text = "any failure in here is rolled back: the old environment goes on as before"
    parts.append(f'<text x="{middle}" y="142" class="caption" text-anchor="middle">{text}</text>')
    style = (
        "text{font-family:system-ui,sans-serif;font-size:14px}"
        ".phase{fill:#fff;font-weight:600;text-anchor:middle}"
        f".caption{{fill:{_GREY}}}"
        f".line{{fill:none;stroke:{_GREY};stroke-dasharray:4 3}}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 150" width="{_WIDTH}" height="150">'
    return "\n".join([head, f"<style>{style}</style>", *parts, "</svg>", ""])


def _arrow(number: int, phase: str, colour: str) -> list[str]:
    left = number * _STEP
    right, middle = left + _STEP - 6, _HEIGHT // 2
    shape = (
        f"M{left} 0 H{right - _TIP} L{right} {middle} L{right - _TIP} {_HEIGHT} H{left} L{left + _TIP} {middle} Z"
        if number
        else f"M{left} 0 H{right - _TIP} L{right} {middle} L{right - _TIP} {_HEIGHT} H{left} Z"
    )
    words = phase.split(" ")
    first = middle + 5 - 9 * (len(words) - 1)
    return [
        f'<path d="{shape}" fill="{colour}"/>',
        *(
            f'<text x="{left + _STEP // 2}" y="{first + 18 * index}" class="phase">{word}</text>'
            for index, word in enumerate(words)
        ),
    ]


def main() -> None:
    markup = drawn()
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != markup:
        FILE.write_text(markup, encoding="utf-8")
        sys.stdout.write(f"{FILE.name}: drawn\n")


if __name__ == "__main__":
    main()
