"""Small rules: versions, the order of tables, which tables an export takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mwaa_migrator.airflow_schema.tables import reason_not_exported, set_aside_source
from mwaa_migrator.merge.order import in_foreign_key_order
from mwaa_migrator.this_airflow.release import version_tuple


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2.10.3", (2, 10, 3)),
        ("1.10.12", (1, 10, 12)),
        ("2.11", (2, 11, 0)),
        ("3.0.0rc1", (3, 0, 0)),
        ("2.10.3+astro.2", (2, 10, 3)),
        ("2.9.1.post1", (2, 9, 1)),
        ("2.11.0.dev0", (2, 11, 0)),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers


def test_versions_compare_by_number() -> None:
    assert version_tuple("2.9.3") < version_tuple("2.10.0") < version_tuple("2.10.12")


@given(st.permutations(range(8)), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_parents_come_before_children(order: list[int], pairs: list[tuple[int, int]]) -> None:
    parents: dict[str, list[str]] = {str(table): [] for table in order}
    for a, b in pairs:
        # Only references to tables before it, or to itself: no cycles.
        child, parent = max(a, b), min(a, b)
        parents[str(order[child])].append(str(order[parent]))
    parents["0"].append("a table that is not merged")
    ordered = in_foreign_key_order(parents)
    assert sorted(ordered) == sorted(parents)
    for table, refers_to in parents.items():
        for parent_table in refers_to:
            if parent_table in parents:
                assert ordered.index(parent_table) <= ordered.index(table)


def test_a_cycle_comes_last() -> None:
    assert in_foreign_key_order({"a": ["b"], "b": ["a"], "c": []}) == ["c", "a", "b"]


@pytest.mark.parametrize("table", ["dag_run", "task_instance", "xcom", "variable", "a_table_of_a_later_airflow", "dag"])
def test_exported(table: str) -> None:
    assert reason_not_exported(table) is None


@pytest.mark.parametrize(
    "table", ["serialized_dag", "ab_user", "celery_taskmeta", "session", "_airflow_moved__2_2__dangling__task_instance"]
)
def test_not_exported(table: str) -> None:
    assert reason_not_exported(table)


def test_where_rows_were_set_aside_from() -> None:
    assert set_aside_source("_airflow_moved__2_2__dangling__task_instance") == "task_instance"
    assert set_aside_source("_airflow_moved__2_3__duplicates__task_fail") == "task_fail"


def test_what_a_table_has_of_each_version_of_a_dag_is_exported() -> None:
    assert reason_not_exported("serialized_dag", ("id", "dag_id", "dag_version_id")) is None
    assert reason_not_exported("_airflow_moved__3_0__dangling__task_instance", ("dag_version_id",))
