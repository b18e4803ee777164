"""The report as people see it: what it says, what it leaves out, and that nothing it quotes gets out of its quotes."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rich.console import Console

from migration import wording
from migration.report import facts, judging, markdown, notification, page, plots
from mwaa_migrator_cli.progress import summary
from tools.example_report import example

Report = dict[str, Any]
SCHEMA = Path(facts.__file__).parent / "report.schema.json"
EVIL = "<script>alert('x')</script>\"'&amp;`|*[a](javascript:b)"
VOID = {"meta", "link", "br", "img", "path", "circle", "rect", "line"}


class Reader(HTMLParser):
    """Checks that tags are balanced; keeps tags, attributes and the text outside of the style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def small(**parts: Any) -> Report:
    """The least that a report has, of a migration that went well."""
    side = {"environment": "old", "region": "eu-west-1", "airflow_version": "2.10.3"}
    table = {"exported": 5, "merged": 5, "kept": 0, "set_aside": 0, "checksum_source": "1", "checksum_target": "1"}
    report = {
        "status": "SUCCEEDED",
        "migration_id": "id",
        "attempt": 1,
        "mode": "migrate",
        "time": "2026-11-22T10:00:00.000+00:00",
        "source": side,
        "target": {**side, "environment": "new", "airflow_version": "2.11.2"},
        "path": ["2.10.3", "2.11.2"],
        "artifact": "s3://exchange/artifacts/id",
        "failure": None,
        "roll_back_failure": None,
        "phases": [{"name": "export", "seconds": 61.0}],
        "downtime_seconds": 61.0,
        "tables": {"dag_run": {**table, "match": True}},
        "verified": True,
        "unfinished": {"dag_runs": 0, "task_instances": 0},
        "logs": {"streams": 0, "events_source": 0, "events_copied": 0, "events_archived": 0, "events_lost": 0},
        "dags": {"source": 2, "parsed_in_target": 2, "import_errors": []},
        "notes": [],
    }
    return {**report, **parts}


FAILURE = {"state": "CheckImport", "error": "ArtifactDamaged", "message": "part 3 of dag_run"}
DIFFERENT = {"dag_run": {**small()["tables"]["dag_run"], "match": False}}


def test_the_schema_is_json_schema() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_on_a_smaller_class_the_downtime_is_the_most_to_expect() -> None:
    classes = {"environment_class": "mw1.small", "environment_class_on_the_day": "mw1.large"}
    report = small(mode="rehearse", **classes, price_usd=0.98, price_on_the_day_usd=1.98, price_basis="2 hours")
    seen = Reader(page.render(report)).text
    assert "The real target will be mw1.large, which is at least as fast" in seen
    assert "61 s at most; seen on mw1.small" in seen
    assert "$0.98 of the target's hours; $1.98 on the day" in seen
    told = markdown.render(report)
    assert "- Downtime to expect: 61 s at most (" in told
    assert "- Price of the target's hours: $0.98 ($1.98 on the day)" in told
    assert "Downtime to expect: 61 s at most" in notification.message(report, "", "")
    on_the_same = small(mode="rehearse", price_usd=0.98, price_basis="2 hours")
    for text in (page.render(on_the_same), markdown.render(on_the_same), notification.message(on_the_same, "", "")):
        assert "at most" not in text
        assert "on the day" not in text


@pytest.mark.parametrize(("way", "shown"), [("IAM token", "IAM token"), ("airflow", "Airflow's own engine")])
def test_the_way_into_the_database_is_told_everywhere(way: str, shown: str) -> None:
    report = small(way_in=way)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)
    assert f"Way into the database {shown} of the target, for the import" in Reader(page.render(report)).text
    assert f"- Way into the target's database: {shown}\n" in markdown.render(report)
    terminal = Console(file=io.StringIO(), width=200)
    terminal.print(summary(report))
    assert isinstance(terminal.file, io.StringIO)
    assert f"Way into the target's database: {shown}\n" in terminal.file.getvalue()
    assert "Way into" not in page.render(small()) + markdown.render(small())


def closed(node: Any) -> Any:
    """A schema in which a field that is not described is a fault."""
    if isinstance(node, dict):
        found = {key: closed(value) for key, value in node.items()}
        if isinstance(node.get("properties"), dict) and "additionalProperties" not in node:
            found["additionalProperties"] = False
        return found
    return [closed(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("report", [small(), small(failure=FAILURE, status="FAILED"), example()])
def test_every_field_is_described(report: Report) -> None:
    Draft202012Validator(closed(json.loads(SCHEMA.read_text()))).validate(report)


@pytest.mark.parametrize(
    ("parts", "verdict", "headline"),
    [
        ({}, "pass", "Migrated and verified"),
        ({"mode": "rehearse"}, "pass", "Rehearsal passed"),
        ({"mode": "rehearse", "verdict": "warn"}, "warn", "Rehearsal passed, with warnings"),
        ({"mode": "rehearse", "verdict": "fail"}, "fail", "Rehearsal failed"),
        ({"status": "FAILED", "failure": FAILURE}, "fail", "Migration failed"),
        ({"mode": "rollback", "tables": {}, "verified": False}, "pass", "Rolled back"),
        ({"mode": "rollback", "status": "FAILED", "failure": FAILURE}, "fail", "Rollback failed"),
        ({"tables": DIFFERENT, "verified": False}, "fail", "Migrated, with errors"),
        ({"verified": False, "tables": {}}, "fail", "Migrated, with errors"),
        ({"logs": {**small()["logs"], "events_lost": 1}}, "fail", "Migrated, with errors"),
        ({"dags": {"import_errors": [{"filepath": "a.py", "error": "e"}]}}, "warn", "Migrated, with warnings"),
        ({"dags": {"source": 3, "parsed_in_target": 2}}, "warn", "Migrated, with warnings"),
        ({"unfinished": {"dag_runs": 1, "task_instances": 2}}, "warn", "Migrated, with warnings"),
        ({"mode": "rehearse", "unfinished": {"dag_runs": 1, "task_instances": 2}}, "pass", "Rehearsal passed"),
        ({"checks": [{"name": "n", "result": "warn", "message": "m"}]}, "warn", "Migrated, with warnings"),
        ({"checks": [{"name": "n", "result": "pass", "message": "m"}]}, "pass", "Migrated and verified"),
    ],
)
def test_verdict(parts: Report, verdict: str, headline: str) -> None:
    report = small(**parts)
    assert (judging.verdict(report), judging.headline(report)) == (verdict, headline)
    text = Reader(page.render(report)).text
    assert headline in text
    assert headline in markdown.render(report)


def test_a_failure_says_where_why_and_what_became_of_the_source() -> None:
    text = Reader(page.render(small(status="FAILED", failure=FAILURE, tables={}, verified=False))).text
    assert "It stopped in CheckImport with ArtifactDamaged. The source is as it was before." in text
    assert "part 3 of dag_run" in text
    stopped = small(status="FAILED", failure=FAILURE, dags={"source": 9, "parsed_in_target": 1})
    assert "missing in the target" not in Reader(page.render(stopped)).text
    stuck = small(status="FAILED", failure=FAILURE, roll_back_failure={**FAILURE, "error": "RollBackFailed"})
    assert "The source could not be put back as it was." in Reader(page.render(stuck)).text


@pytest.mark.parametrize(
    ("heading", "parts"),
    [
        ("Findings", {"unfinished": {"dag_runs": 1, "task_instances": 2}}),
        ("Checks passed", {"checks": [{"name": "n", "result": "pass", "message": "m"}]}),
        ("Phases", {"phases": [{"name": "export", "seconds": 61.0}]}),
        ("Downtime, rehearsal by rehearsal", {"rehearsals": example()["rehearsals"]}),
        ("Rows", {"tables": small()["tables"]}),
        ("Task logs", {"logs": example()["logs"]}),
        ("Notes", {"notes": ["core.a is now core.b."]}),
        ("Price", {"price_usd": 12.5}),
    ],
)
def test_what_a_report_does_not_have_is_not_there(heading: str, parts: Report) -> None:
    bare = small(phases=[], tables={})
    words = Reader(page.render(bare)).words
    if heading != "Findings":
        assert heading not in [word.strip() for word in words]
    assert heading in [word.strip() for word in Reader(page.render({**bare, **parts})).words]


def test_what_differs_comes_first() -> None:
    report = example()
    report["tables"]["log_template"]["match"] = False
    assert facts.table_rows(report)[0].name == "log_template"
    assert "1 table not equal" in Reader(page.render(report)).text


def poisoned(value: Any) -> Any:
    """The same report with evil in every text that the schema leaves open, names of tables and of DAGs included."""
    if isinstance(value, dict):
        keep = ("status", "mode", "time", "started", "verdict", "result", "airflow_version")
        return {
            (f"{key}{EVIL}" if isinstance(item, dict) and "match" in item else key): item
            if key in keep
            else poisoned(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


@pytest.fixture(scope="module")
def evil() -> Report:
    report = example()
    report["failure"] = {"state": "S", "error": "E", "message": "m"}
    report["roll_back_failure"] = {"state": "S", "error": "E", "message": "m"}
    report["dags"]["import_errors"] = [{"filepath": "f.py", "error": "trace"}]
    found: Report = poisoned(report)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    return found


@pytest.mark.parametrize("checks", [True, False])
def test_nothing_that_is_quoted_becomes_markup(evil: Report, checks: bool) -> None:
    report = copy.copy(evil)
    if not checks:
        del report["checks"]
    seen = Reader(page.render(report))
    assert "script" not in {tag for tag, _ in seen.tags}
    assert seen.text.count("<script>alert('x')</script>") > 50
    assert {name for _, attributes in seen.tags for name in attributes if name.startswith("on")} == set()


def test_nothing_that_is_quoted_becomes_markdown(evil: Report) -> None:
    text = markdown.render(evil)
    outside = "".join(text.split("``")[::2])
    assert "<script" not in outside
    assert "[a](" not in outside.replace("\\[a\\](", "")
    assert "@" not in markdown.render(small(notes=[])).replace("@\N{WORD JOINER}", "")


@pytest.mark.parametrize(
    ("text", "written"),
    [("a_b*c", "a\\_b\\*c"), ("<b>", "&lt;b&gt;"), ("two\nlines", "two lines"), ("@here", "@\N{WORD JOINER}here")],
)
def test_markdown_is_escaped(text: str, written: str) -> None:
    report = small(checks=[{"name": text, "result": "warn", "message": ""}])
    assert f"**{written}**" in markdown.render(report)


@given(st.text(st.characters(), max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_text_that_json_can_hold_can_be_shown(text: str) -> None:
    text = json.loads(json.dumps(text))
    report = small(notes=[text], failure={"state": "S", "error": "E", "message": text}, status="FAILED")
    report["phases"] = [{"name": text, "seconds": 1.0}]
    shown = page.render(report)
    shown.encode()
    Reader(shown)
    markdown.render(report).encode("utf-8", "replace")


def test_a_page_asks_for_nothing() -> None:
    seen = Reader(page.render(example()))
    addresses = [
        value
        for _, attributes in seen.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    ]
    assert all((value or "").startswith("data:") for value in addresses)
    css = page.render(example()).split("<style>")[1].split("</style>")[0]
    assert "url(" not in css
    assert "@import" not in css


def test_the_same_report_is_the_same_page() -> None:
    assert page.render(example()) == page.render(example())


def many(dags: int) -> Iterator[Report]:
    yield example(dags, tables=40)
    wordy = example(dags, tables=40)
    line = {"dag": "d" * 250, "file": "f" * 1000 + ".py", "line": 1, "message": "<&>" * 2000, "detail": "é<" * 50_000}
    wordy["checks"] = [
        {"name": str(number), "result": "fail", "message": "m" * 50_000, "findings": [line] * (dags // 10)}
        for number in range(10)
    ]
    yield wordy
    errors = example(dags, tables=40)
    del errors["checks"]
    errors["dags"]["import_errors"] = [{"filepath": f"{n}.py", "error": "'\"<" * 10_000} for n in range(dags)]
    yield errors


@pytest.mark.parametrize("report", list(many(2000)), ids=["usual", "wordy", "broken"])
def test_a_page_of_2000_dags_and_40_tables_is_at_most_2_mb(report: Report) -> None:
    assert len(page.render(report).encode()) <= 2_000_000


def test_what_passed_shows_what_was_looked_at() -> None:
    finding = {"dag": "orders", "message": "success in 12 s", "detail": "load  success  12 s"}
    report = small(checks=[{"name": "Smoke test", "result": "pass", "message": "1 of 1", "findings": [finding]}])
    seen = Reader(page.render(report))
    for text in ("Checks passed", "orders", "success in 12 s", "load success 12 s"):
        assert text in seen.text


def test_what_has_no_room_is_counted() -> None:
    errors = [{"filepath": f"{number}.py", "error": "<" * 10_000} for number in range(2000)]
    text = Reader(page.render(small(dags={"import_errors": errors}))).text
    assert "2,000 places" in text
    assert "more in report.json" in text


def test_markdown_fits_a_chat() -> None:
    """Slack's limit of a message is 40,000 characters."""
    for report in many(2000):
        assert len(markdown.render(report)) <= 40_000


def test_a_timeline_marks_the_downtime() -> None:
    line = {span.name: (span.start, span.paused) for span in facts.spans(example())}
    assert line["plan"] == (0.0, False)
    assert not line["stage resources"][1]
    assert line["export"][1]
    assert line["copy logs"][1]
    migrated = small(phases=[{"name": name, "seconds": 5.0} for name in ("plan", "export", "cut over", "copy logs")])
    assert [(span.start, span.paused) for span in facts.spans(migrated)] == [
        (0.0, False),
        (5.0, True),
        (10.0, True),
        (15.0, False),
    ]


def test_a_plot_says_what_it_shows_and_has_no_style_of_its_own() -> None:
    plot = plots.timeline(facts.spans(example()))
    assert plot is not None
    assert "create target 27 min" in plot.text
    assert "paused from export to copy logs" in plot.text
    for drawn in (plot.wide, plot.narrow):
        assert "<style" not in drawn
        assert "<script" not in drawn
        assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("number", [0, 1, 2, 200])
def test_a_trend_needs_two(number: int) -> None:
    one = {"time": "2026-11-22T10:00:00+00:00", "migration_id": "i", "verdict": "pass", "downtime_seconds": 60.0}
    report = small(rehearsals=[one] * number)
    assert (plots.downtimes(judging.rehearsals(report)) is None) == (number == 0)
    Reader(page.render(report))


@pytest.mark.parametrize(
    ("end", "most", "found"),
    [
        (80, 9, [0, 10, 20, 30, 40, 50, 60, 70, 80]),
        (4500, 4, [0, 1800, 3600]),
        (0, 4, [0]),
        (0.4, 9, [0, 0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_marks_are_round(end: float, most: int, found: list[float]) -> None:
    assert plots.marks(end, most) == found


@given(st.floats(0, 1e9), st.integers(2, 12))
def test_marks_are_never_too_many(end: float, most: int) -> None:
    found = plots.marks(end, most)
    assert len(found) <= most
    assert found[-1] <= max(end, 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.07, "0.1 s"),
        (8.44, "8.4 s"),
        (9.97, "10 s"),
        (49.3, "49 s"),
        (119, "119 s"),
        (120, "2 min"),
        (402, "6 min 42 s"),
        (1624, "27 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_a_day_is_told_with_its_zone() -> None:
    assert facts.day("2026-11-25T02:10:18.197+00:00") == "25 Nov 2026, 02:10 UTC"
    assert facts.day("2026-11-25T02:10:18+01:00") == "25 Nov 2026, 02:10 +0100"
