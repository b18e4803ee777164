"""What stayed behind, as the report says it."""

from __future__ import annotations

from typing import Any

from migration.report import left_behind

ASIDE: dict[str, Any] = {
    "table": "xcom", "rows": 7, "examples": ["d t k"], "reason": "2.0 wants one of each", "remedy": "Delete them.",
}  # fmt: skip


def test_nothing() -> None:
    assert left_behind.notes({"export": {}, "import": {}}) == []


def test_each_kind_has_a_sentence() -> None:
    exported = {"set_aside": [ASIDE], "refused_by_airflow_3": [ASIDE], "indexes_left_out": ["mine", "yours"]}
    imported = {"without_parent": ["1 rows of xcom whose task_instance is missing, set aside: d t"]}
    assert left_behind.notes({"export": exported, "import": imported}) == [
        "1 rows of xcom whose task_instance is missing, set aside: d t.",
        "Set aside by the export: 7 rows of xcom (d t k, ...): 2.0 wants one of each.",
        "An upgrade to Airflow 3 would fail on 7 rows of xcom (d t k, ...): 2.0 wants one of each. Delete them.",
        "Indexes that are not Airflow's were not made in the target: mine, yours.",
    ]


def test_what_was_changed_before_an_upgrade_to_airflow_3() -> None:
    line = "2 XComs (d t r -1 k, d t s -1 k): their value was cleared, because it holds nothing at all"
    told = left_behind.notes({"import": {"changed_values": [line]}, "verify": {"changed_for_hop": [line]}})
    assert told == [f"Changed by the import: {line}.", f"Changed for the upgrade to Airflow 3: {line}."]


def test_a_long_list_is_cut() -> None:
    (note,) = left_behind.notes({"export": {"indexes_left_out": [str(number) for number in range(25)]}})
    assert note.endswith("18, 19 and 5 more.")
