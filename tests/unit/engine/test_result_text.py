"""What a person reads of a result."""

from __future__ import annotations

from mwaa_migrator.result_text import result_text


def test_each_reason_for_which_tables_are_not_exported() -> None:
    reasons = {"event": "not a table of this Airflow", "trigger": "left out as asked", "xcom": "left out as asked"}
    lines = result_text({"not_exported": reasons, "seconds": 1}).splitlines()
    assert "not exported: trigger, xcom (left out as asked)" in lines
    assert "not exported: event (not a table of this Airflow)" in lines
