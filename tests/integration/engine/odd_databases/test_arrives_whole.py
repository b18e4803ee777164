"""Databases that Airflow works with, and so does the engine: everything arrives, verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.deployment import Deployment

OLD, SAME, TARGET = "2.5.1", "2.10.3", "2.11.2"


@pytest.mark.parametrize(
    ("version", "in_source", "in_target"),
    [
        (OLD, ["history", "unowned_sequences"], []),
        (SAME, ["history", "unowned_sequences"], ["history", "unowned_sequences"]),
        (OLD, ["history", "one_sequence_for_two_tables"], []),
        (OLD, ["history", "application_table_event"], ["application_table_event"]),
        (SAME, ["history", "much_log"], ["schema_of_the_administrator"]),
        (SAME, ["history", "much_log"], ["view_that_needs_a_key"]),
        (OLD, ["history"], ["closes_idle_sessions"]),
        (OLD, ["history", "handmade_indexes"], []),
        (SAME, ["time_before_year_1"], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value) or "empty",
)
def test_arrives(
    version: str, in_source: list[str], in_target: list[str], odd: Callable[..., Deployment], tmp_path: Path
) -> None:
    source, target = odd(version, *in_source), odd(TARGET, *in_target)
    exported = source.succeed("export", "--to", str(tmp_path))
    imported = target.succeed("import", "--from", str(tmp_path))
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    rows = {name: table["rows"] for name, table in exported["tables"].items() if table["rows"] and name != "dag"}
    arrived = {name: table["merged"] + table["kept"] for name, table in imported["tables"].items()}
    assert {name: arrived[name] for name in rows} == rows


def test_applications_tables_are_named(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    done = odd(OLD, "application_table_event").succeed("export", "--to", str(tmp_path))
    not_airflows = [name for name, reason in done["not_exported"].items() if reason == "not a table of this Airflow"]
    assert not_airflows == ["event", "page"]


def test_handmade_indexes_are_named(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    odd(OLD, "handmade_indexes").succeed("export", "--to", str(tmp_path), "--id", "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["indexes_left_out"] == ["idx_log_dttm", "one_description", "slow_runs"]


def test_latin1(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    """A production database in LATIN1. Public: dalibo/temboard#887, airbytehq/airbyte#376."""
    source = odd(SAME, "history", encoding="LATIN1")
    source.execute(
        "insert into dag (dag_id, is_paused, is_active, fileloc, owners, max_active_tasks, "
        "has_task_concurrency_limits, max_consecutive_failed_dag_runs) "
        "values ('köln', false, true, '/dags/köln.py', 'team', 16, false, 0)"
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "a")
    assert "köln" in (tmp_path / "a" / "dags.json").read_bytes().decode("unicode_escape")
    target = odd(TARGET)
    target.succeed("import", "--from", str(tmp_path))
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    assert target.value("select val from variable where key = 'stadt'") is not None
    assert target.rows("select distinct owner, extra from log where dag_id = 'd'") == [("José", '{"a": "é"}')]
