from __future__ import annotations

import pytest

from migration.airflow import path


@pytest.mark.parametrize(
    ("source", "target", "way", "versions"),
    [
        ("2.10.3", "3.2.1", path.THROUGH, ["2.10.3", "2.11.2", "3.2.1"]),
        ("2.10.3", "3.2.1", path.DIRECT, ["2.10.3", "3.2.1"]),
        ("2.10.3", "3.2.1", path.AUTO, ["2.10.3", "3.2.1"]),
        ("2.6.3", "3.2.1", path.AUTO, ["2.6.3", "2.11.2", "3.2.1"]),
        ("2.6.3", "3.0.6", path.AUTO, ["2.6.3", "2.11.2", "3.0.6"]),
        ("2.7.2", "3.0.6", path.AUTO, ["2.7.2", "3.0.6"]),
        ("1.10.12", "3.3.1", path.AUTO, ["1.10.12", "2.11.2", "3.3.1"]),
        ("2.11.2", "3.2.1", path.THROUGH, ["2.11.2", "2.11.2", "3.2.1"]),
        ("2.5.1", "2.11.2", path.AUTO, ["2.5.1", "2.11.2"]),
        ("2.5.1", "2.10.3", path.AUTO, ["2.5.1", "2.10.3"]),
        ("2.10.3", "2.10.3", path.AUTO, ["2.10.3", "2.10.3"]),
        ("2.11.2", "4.0.0", path.THROUGH, ["2.11.2", "2.11.2", "4.0.0"]),
    ],
)
def test_path(source: str, target: str, way: str, versions: list[str]) -> None:
    assert path.of(source, target, way, "2.11.2") == versions


@pytest.mark.parametrize(
    ("target", "oldest"),
    [("3.0.6", "2.7.0"), ("3.1.0", "2.7.0"), ("3.2.1", "2.7.0"), ("3.3.1", "2.7.0"), ("3.9.0", "2.7.0")],
)
def test_the_oldest_source_of_a_release_or_of_the_nearest_older_one(target: str, oldest: str) -> None:
    assert str(path.oldest_source(target)) == oldest
