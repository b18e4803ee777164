from __future__ import annotations

import pytest

from migration.airflow import versions


def test_versions_compare_by_number() -> None:
    assert versions.parse("2.9.2") < versions.parse("2.10.1") < versions.parse("2.11.0") < versions.parse("3.0.6")


@pytest.mark.parametrize("text", ["2.11", "v2.11.2", "2.11.2rc1", "", "latest"])
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="not an Airflow version"):
        versions.parse(text)


@pytest.mark.parametrize(
    ("airflow", "python"), [("2.7.2", "3.11"), ("2.10.3", "3.11"), ("2.11.0", "3.12"), ("3.2.1", "3.12")]
)
def test_python_of(airflow: str, python: str) -> None:
    assert versions.python_of(airflow) == python
