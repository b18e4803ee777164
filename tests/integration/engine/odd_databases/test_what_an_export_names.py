"""What an export says of tables and names that are not as Airflow makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sources.deployment import Deployment


def test_applications_tables_are_named(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    done = odd("2.5.1", "application_table_event").succeed("export", "--to", str(tmp_path))
    not_airflows = [name for name, reason in done["not_exported"].items() if reason == "not a table of this Airflow"]
    assert not_airflows == ["event", "page"]


def test_latin1_in_the_list_of_dags(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    odd("2.10.3", "latin1_names", encoding="LATIN1").succeed("export", "--to", str(tmp_path), "--id", "a")
    assert "köln" in (tmp_path / "a" / "dags.json").read_bytes().decode("unicode_escape")
