"""What stayed behind, as the report says it."""

from __future__ import annotations

from typing import Any

import pytest

from migration.report import left_behind

ASIDE: dict[str, Any] = {
    "table": "xcom", "rows": 7, "examples": ["d t k"], "reason": "2.0 wants one of each", "remedy": "Delete them.",
}  # fmt: skip


def test_nothing() -> None:
    assert left_behind.notes({"export": {}, "import": {}}, upgraded=False) == []


def test_each_kind_has_a_sentence() -> None:
    exported = {"set_aside": [ASIDE], "refused_by_airflow_3": [ASIDE], "indexes_left_out": ["mine", "yours"]}
    imported = {"without_parent": ["1 row of xcom whose task_instance is missing, set aside: d t"]}
    assert left_behind.notes({"export": exported, "import": imported}, upgraded=False) == [
        "1 row of xcom whose task_instance is missing, set aside: d t.",
        "Set aside by the export: 7 rows of xcom (d t k, ...): 2.0 wants one of each.",
        "An upgrade to Airflow 3 would fail on 7 rows of xcom (d t k, ...): 2.0 wants one of each. Delete them.",
        "Indexes that are not Airflow's were not made in the target: mine, yours.",
    ]


def test_what_was_changed_before_an_upgrade_to_airflow_3() -> None:
    line = "2 XComs (d t r -1 k, d t s -1 k): their value was cleared, because it holds nothing at all"
    told = left_behind.notes(
        {"import": {"changed_values": [line]}, "verify": {"changed_for_hop": [line]}}, upgraded=False
    )
    assert told == [f"Changed by the import: {line}.", f"Changed for the upgrade to Airflow 3: {line}."]


def test_a_long_list_is_cut() -> None:
    (note,) = left_behind.notes({"export": {"indexes_left_out": [str(number) for number in range(25)]}}, upgraded=False)
    assert note.endswith("18, 19 and 5 more.")


GIVEN = "3 task instances from before Airflow 3 got the target's latest version of their DAG"


@pytest.mark.parametrize(
    ("results", "upgraded", "begins"),
    [
        ({"import": {"given_dag_version": 3}}, False, [GIVEN]),
        ({"versions": {"given_dag_version": 3, "without_dag_version": 0}}, True, [GIVEN]),
        (
            {"versions": {"given_dag_version": 3, "without_dag_version": 1}},
            True,
            [GIVEN, "1 task instance of DAGs that the target does not know"],
        ),
        ({"versions": {"given_dag_version": 0, "without_dag_version": 0}}, True, []),
        ({"import": {}}, True, ["The task instances from before the upgrade to Airflow 3"]),
        ({"versions": {"status": "failed"}}, True, ["The task instances from before the upgrade to Airflow 3"]),
    ],
)
def test_whether_old_task_instances_run_again_when_they_are_cleared(
    results: dict[str, Any], upgraded: bool, begins: list[str]
) -> None:
    found = left_behind.notes(results, upgraded=upgraded)
    assert len(found) == len(begins)
    assert all(note.startswith(beginning) for note, beginning in zip(found, begins, strict=True))
    assert all(("run_on_latest_version" in note) != note.startswith(GIVEN) for note in found)
