"""Plots as inline SVG: shapes and words without colours or fonts, which the page's style sheet gives them.

pygal draws. Its own style sheet and script stay out of the page, whose policy allows no script, and each plot is made
twice, because an SVG that is scaled down to a phone has letters that nobody can read.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree  # writes what pygal has made, and parses nothing

import pygal  # type: ignore[import-untyped]

from migration import wording
from migration.report import facts
from migration.report.facts import Span

# pygal leaves a hook for maps that nobody has here; it lacks `find_spec`, which tools of Python ask every hook for.
sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != "pygal"]

_SVG = "http://www.w3.org/2000/svg"
_ROW = 27
_AXIS = 46
_MARGIN = 2
# Steps between two marks of a time axis, in seconds.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
# Between a phase's name and its duration.
_BETWEEN = "\N{EN SPACE}"
LEVELS = (facts.PASS, facts.WARN, facts.FAIL)


class Plot(NamedTuple):
    """A plot as SVG markup for wide and for narrow screens. `text` says what it shows to whoever does not see it."""

    wide: str
    narrow: str
    text: str


class _Size(NamedTuple):
    name: str
    width: int
    marks: int
    columns: int


_WIDE = _Size("wide", 912, 9, 40)
_NARROW = _Size("narrow", 346, 4, 12)


def timeline(spans: Sequence[Span]) -> Plot | None:
    """When each phase ran, one below the other. None where no phase is known."""
    if not spans:
        return None
    paused = [span.name for span in spans if span.paused]
    text = "Phases one after the other: " + ", ".join(f"{s.name} {wording.duration(s.seconds)}" for s in spans) + "."
    if paused:
        text += f" The DAGs are paused from {paused[0]} to {paused[-1]}."
    return _both(lambda size: _timeline(spans, size), text)


def _timeline(spans: Sequence[Span], size: _Size) -> Any:
    chart = _chart(pygal.HorizontalStackedBar, size, _ROW * len(spans) + _AXIS)
    # pygal begins below.
    upwards = list(reversed(spans))
    chart.x_labels = [f"{span.name}{_BETWEEN}{wording.duration(span.seconds)}" for span in upwards]
    end = max(span.start + span.seconds for span in spans)
    chart.y_labels = marks(end, size.marks)
    chart.range = (0, max(end, 0.1))
    # The first series is what lies before the bars; the style sheet does not draw it.
    chart.add("before", [span.start for span in upwards])
    chart.add("works", [None if span.paused else span.seconds for span in upwards])
    chart.add("paused", [span.seconds if span.paused else None for span in upwards])
    return chart


def downtimes(rehearsals: Sequence[Mapping[str, Any]]) -> Plot | None:
    """The downtime of each rehearsal, oldest first. None for fewer than two: they show no trend."""
    if len(rehearsals) < 2:
        return None
    first, last = (wording.duration(rehearsals[index]["downtime_seconds"]) for index in (0, -1))
    text = f"Downtime of {len(rehearsals)} rehearsals: {first} at first, {last} now. The table below has each of them."
    return _both(lambda size: _downtimes(rehearsals[-size.columns :], size), text)


def _downtimes(rehearsals: Sequence[Mapping[str, Any]], size: _Size) -> Any:
    chart = _chart(pygal.StackedBar, size, 210)
    every = math.ceil(len(rehearsals) * 52 / size.width)
    chart.x_labels = [
        facts.day(item["time"]).split(",")[0].rsplit(" ", 1)[0] if (len(rehearsals) - 1 - index) % every == 0 else ""
        for index, item in enumerate(rehearsals)
    ]
    longest = max(item["downtime_seconds"] for item in rehearsals)
    chart.y_labels = marks(longest, 4)
    chart.range = (0, max(*chart.y_labels, longest, 0.1))
    for level in LEVELS:
        chart.add(level, [item["downtime_seconds"] if item["verdict"] == level else None for item in rehearsals])
    return chart


def marks(end: float, most: int) -> list[float]:
    """At most `most` round times on an axis from 0 to `end` seconds, the first at 0."""
    step = next((step for step in _STEPS if end / step < most), None)
    if step is None:
        step = _STEPS[-1] * math.ceil(end / (_STEPS[-1] * (most - 1)))
    return [round(index * step, 1) for index in range(int(end / step) + 1)]


def _chart(kind: Callable[..., Any], size: _Size, height: int) -> Any:
    return kind(
        width=size.width,
        height=height,
        js=[],
        css=[],
        classes=[f"plot-{size.name}"],
        show_legend=False,
        margin=_MARGIN,
        margin_bottom=6,
        spacing=7,
        rounded_bars=2,
        truncate_label=-1,
        value_formatter=lambda seconds: wording.duration(float(seconds)),
        style=pygal.style.Style(font_family="sans-serif", label_font_size=12, major_label_font_size=12),
    )


def _both(draw: Callable[[_Size], Any], text: str) -> Plot:
    return Plot(_markup(draw(_WIDE), text), _markup(draw(_NARROW), text), text)


def _markup(chart: Any, text: str) -> str:
    tree: ElementTree.Element = chart.render_tree()
    ElementTree.register_namespace("", _SVG)
    # Random ids have no use here, and the same report shall be the same page.
    for element in tree.iter():
        element.attrib.pop("id", None)
    for child in list(tree):
        if child.tag in ("defs", "title") or not isinstance(child.tag, str):
            tree.remove(child)
    plot = next(element for element in tree.iter() if element.get("class") == "plot")
    left = -float(plot.attrib["transform"].removeprefix("translate(").split(",")[0])
    for guides in [element for element in tree.iter() if element.get("class") == "guides"]:
        for title in guides.findall("title"):
            guides.remove(title)
        _split_label(guides, left)
    for bar in [element for element in tree.iter() if element.get("class") == "bar"]:
        _name_bar(bar)
    tree.set("role", "img")
    tree.set("aria-label", text)
    return ElementTree.tostring(tree, encoding="unicode")


def _split_label(guides: ElementTree.Element, left: float) -> None:
    """A label of two parts: the first begins at the plot's left edge, the second stays at the axis."""
    label = guides.find("text")
    if label is None or _BETWEEN not in (label.text or ""):
        return
    name, label.text = (label.text or "").split(_BETWEEN, 1)
    label.set("class", "second")
    first = ElementTree.SubElement(guides, "text", {**label.attrib, "class": "first", "x": str(left)})
    first.text = name


def _name_bar(bar: ElementTree.Element) -> None:
    """In place of what pygal's script needs: the words that a browser shows beside the pointer. No bar for no value."""
    told = {part.get("class"): part.text or "" for part in bar.findall("desc")}
    for part in bar.findall("desc"):
        bar.remove(part)
    drawn = bar.find("rect")
    if drawn is None or not {"width", "height"} <= drawn.attrib.keys():
        bar.clear()
        return
    label = told.get("x_label", "")
    title = ElementTree.SubElement(bar, "title")
    title.text = label if _BETWEEN in label else f"{label} {told.get('value', '')}".strip()
