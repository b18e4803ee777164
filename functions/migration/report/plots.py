"""Plots as inline SVG: shapes and words with classes, which the page's style sheet gives colours and fonts.

Each plot is drawn twice, because an SVG that is scaled down to a phone has letters that nobody can read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2

from migration import wording
from migration.report import facts, judging
from migration.report.facts import Span

LEVELS = (judging.PASS, judging.WARN, judging.FAIL)
_MARKUP = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(
    """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" role="img" aria-label="{{ text }}">
{% for line in lines %}
<path d="{{ line }}"/>
{% endfor %}
{% for word in words %}
<text class="{{ word.classes }}" x="{{ word.x | round(1) }}" y="{{ word.y | round(1) }}">{{ word.text }}</text>
{% endfor %}
{% for bar in bars %}
<g><title>{{ bar.title }}</title><rect class="{{ bar.kind }}" x="{{ bar.x | round(1) }}" y="{{ bar.y | round(1) }}" \
width="{{ bar.width | round(1) }}" height="{{ bar.height | round(1) }}" rx="2"/></g>
{% endfor %}
</svg>"""
)
# In the SVG's units, which are CSS pixels where the page is as wide as the plot. The style sheet's letters are 12 high.
_ROW = 27
_LETTER = 7.2
_GAP = 6
_LINE = 14
_COLUMNS_HEIGHT = 180
_DATE = 52
# Keeps a phase of a tenth of a second in sight.
_THINNEST = 2
# The part of its row or column that a bar fills.
_FILLED = 0.88
# Steps between two marks of a time axis, in seconds.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class Plot(NamedTuple):
    """A plot as SVG markup for wide and for narrow screens. `text` describes it to those who cannot see it."""

    wide: str
    narrow: str
    text: str


class _Size(NamedTuple):
    width: int
    marks: int
    columns: int


class _Bar(NamedTuple):
    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class _Word(NamedTuple):
    classes: str
    x: float
    y: float
    text: str


_WIDE = _Size(width=912, marks=9, columns=40)
_NARROW = _Size(width=346, marks=4, columns=12)


def timeline(spans: Sequence[Span]) -> Plot | None:
    """When each phase ran, one below the other. None where no phase is known."""
    if not spans:
        return None
    paused = [span.name for span in spans if span.paused]
    text = "Phases one after the other: " + ", ".join(f"{s.name} {wording.duration(s.seconds)}" for s in spans) + "."
    if paused:
        text += f" The DAGs are paused from {paused[0]} to {paused[-1]}."
    return Plot(_timeline(spans, _WIDE, text), _timeline(spans, _NARROW, text), text)


def _timeline(spans: Sequence[Span], size: _Size, text: str) -> str:
    durations = [wording.duration(span.seconds) for span in spans]
    left = _LETTER * max(len(f"{span.name} {label}") for span, label in zip(spans, durations, strict=True)) + 2 * _GAP
    bottom = _ROW * len(spans)
    end = max(span.start + span.seconds for span in spans)
    # Half of the last mark's words are to the right of it.
    scale = (size.width - left - 3 * _LETTER) / max(end, 0.1)
    lines, words, bars = [], [], []
    for mark in marks(end, size.marks):
        lines.append(f"M{left + mark * scale:.1f} 0v{bottom}")
        words.append(_Word("middle quiet", left + mark * scale, bottom + _LINE, wording.duration(mark)))
    for index, (span, label) in enumerate(zip(spans, durations, strict=True)):
        top, height = index * _ROW + _ROW * (1 - _FILLED) / 2, _ROW * _FILLED
        words.append(_Word("", 0, top + height / 2 + 4, span.name))
        words.append(_Word("end quiet", left - 2 * _GAP, top + height / 2 + 4, label))
        kind = "paused" if span.paused else "works"
        width = max(span.seconds * scale, _THINNEST)
        bars.append(_Bar(kind, left + span.start * scale, top, width, height, f"{span.name} {label}"))
    return _MARKUP.render(width=size.width, height=bottom + _LINE + 4, text=text, lines=lines, words=words, bars=bars)


def downtimes(rehearsals: Sequence[Mapping[str, Any]]) -> Plot | None:
    """The downtime of each rehearsal, oldest first. None for fewer than two: they show no trend."""
    if len(rehearsals) < 2:
        return None
    first, last = (wording.duration(rehearsals[index]["downtime_seconds"]) for index in (0, -1))
    text = f"Downtime of {len(rehearsals)} rehearsals: {first} at first, {last} now. The table below has each of them."
    return Plot(_downtimes(rehearsals, _WIDE, text), _downtimes(rehearsals, _NARROW, text), text)


def _downtimes(rehearsals: Sequence[Mapping[str, Any]], size: _Size, text: str) -> str:
    rehearsals = rehearsals[-size.columns :]
    longest = max(item["downtime_seconds"] for item in rehearsals)
    axis = marks(longest, 4)
    left = _LETTER * max(len(wording.duration(mark)) for mark in axis) + _GAP
    bottom = _GAP + _COLUMNS_HEIGHT
    scale = _COLUMNS_HEIGHT / max(longest, 0.1)
    column = (size.width - left) / len(rehearsals)
    # Every how many columns a date has room, counted from the newest.
    every = math.ceil(_DATE / column)
    lines, words, bars = [], [], []
    for mark in axis:
        lines.append(f"M{left:.1f} {bottom - mark * scale:.1f}H{size.width}")
        words.append(_Word("end quiet", left - _GAP, bottom - mark * scale + 4, wording.duration(mark)))
    for index, item in enumerate(rehearsals):
        middle, height = left + (index + 0.5) * column, item["downtime_seconds"] * scale
        date = facts.day(item["time"]).split(",")[0].rsplit(" ", 1)[0]
        if (len(rehearsals) - 1 - index) % every == 0:
            words.append(_Word("middle quiet", middle, bottom + _LINE + 4, date))
        title = f"{date} {wording.duration(item['downtime_seconds'])}"
        width = column * _FILLED
        bars.append(_Bar(item["verdict"], middle - width / 2, bottom - height, width, height, title))
    return _MARKUP.render(width=size.width, height=bottom + _LINE + 8, text=text, lines=lines, words=words, bars=bars)


def marks(end: float, most: int) -> list[float]:
    """At most `most` round times on an axis from 0 to `end` seconds, the first at 0."""
    step = next((step for step in _STEPS if end / step < most), None)
    if step is None:
        step = _STEPS[-1] * math.ceil(end / (_STEPS[-1] * (most - 1)))
    return [round(index * step, 1) for index in range(int(end / step) + 1)]
