"""The report in a real browser: alone, without a network, on a desktop and on a phone, in light and in dark."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from migration.report import page
from tools import chromium
from tools.example_report import example

DESKTOP, PHONE = 1280, 390
# The lightness of what is behind a text must differ from the text's (WCAG 2.2, 1.4.3: 4.5 to 1).
CONTRAST = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => { const [r, g, b] = numbers(colour).slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) { const colour =
    getComputedStyle(e).backgroundColor; if (numbers(colour)[3] !== 0) return colour; } };
  const faint = [];
  for (const element of document.querySelectorAll("body *:not(style)")) {
    const words = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!words || !element.checkVisibility() || element.tagName === "title") continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(element.closest("svg") ? style.fill : style.color), light(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)}: ${element.textContent.trim().slice(0, 40)}`);
  }
  return faint;
})()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    long = "an_id_without_any_space_" * 12
    document = example(tables=60)
    document["checks"][1]["findings"].append({"dag": long, "file": f"{long}.py", "message": "<script>bad()</script>"})
    document["failure"] = {
        "state": "CheckImport",
        "error": "ArtifactDamaged",
        "message": f"{long} <img src=x onerror=1>",
    }
    document["tables"][long] = {**document["tables"]["xcom"], "match": False}
    file.write_text(page.render(document), encoding="utf-8")
    return file


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_stands_alone_and_fits(report: Path, width: int, dark: bool) -> None:
    with chromium.opened(report, width, dark=dark) as seen:
        assert {url for url in seen.requests if not url.startswith("data:")} == {report.as_uri()}
        assert seen.complaints == []
        assert seen.evaluate("document.documentElement.scrollWidth") == width
        assert seen.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)") is None
        assert seen.evaluate("document.documentElement.scrollWidth") == width
        assert seen.evaluate(CONTRAST) == []
        background = seen.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 23, 26)") == dark


def test_one_plot_of_each_is_seen_and_told(report: Path) -> None:
    for width in (DESKTOP, PHONE):
        with chromium.opened(report, width) as seen:
            plots = "[...document.querySelectorAll('svg[role=img]')].filter(plot => plot.checkVisibility())"
            assert seen.evaluate(f"{plots}.length") == 2
            assert seen.evaluate(f"{plots}.every(plot => plot.getAttribute('aria-label').length > 40)")


def test_it_prints(report: Path) -> None:
    with chromium.opened(report) as seen:
        assert seen.pdf().startswith(b"%PDF")


def test_landmarks_and_headings(report: Path) -> None:
    with chromium.opened(report) as seen:
        assert (
            seen.evaluate("['header', 'main', 'footer'].map(name => document.querySelectorAll(name).length)") == [1] * 3
        )
        levels = seen.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(following <= level + 1 for level, following in itertools.pairwise(levels))
        assert seen.evaluate("document.querySelectorAll('section:not([aria-labelledby])').length") == 0


def test_the_checks_here_see_what_is_wrong(tmp_path: Path, report: Path) -> None:
    """A page that asks for something, throws, is too wide and too faint is told from ours."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!DOCTYPE html><meta name=viewport content='width=device-width'><script>nothing.there()</script>"
        "<img src='http://127.0.0.1:9/x.png'><p style='width:2000px;color:#999;background:#fff'>faint</p>"
    )
    with chromium.opened(bad, PHONE) as seen:
        assert "http://127.0.0.1:9/x.png" in seen.requests
        assert seen.complaints
        assert seen.evaluate("document.documentElement.scrollWidth") > PHONE
        assert seen.evaluate(CONTRAST) == ["2.85: faint"]
