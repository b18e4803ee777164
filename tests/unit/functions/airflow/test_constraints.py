from __future__ import annotations

import pytest

from migration.airflow.constraints import fitted

BASE = "https://raw.githubusercontent.com/apache/airflow/"
LINE = f'--constraint "{BASE}constraints-2.11.2/constraints-3.12.txt"'


@pytest.mark.parametrize(
    "line",
    [
        f'--constraint "{BASE}constraints-2.10.3/constraints-3.11.txt"',
        f"--constraint '{BASE}constraints-2.10.3/constraints-3.11.txt'",
        f"--constraint {BASE}constraints-2.5.1/constraints-3.10.txt",
        f"--constraint={BASE}constraints-2.5.1/constraints-3.10.txt",
        f"-c {BASE}constraints-2.0.2/constraints-3.7.txt  # Airflow's",
        f"  -c {BASE}constraints-1.10.12/constraints-3.7.txt",
    ],
)
def test_airflows_own_constraints_are_set_to_the_version(line: str) -> None:
    text, notes = fitted(f"{line}\npandas\n", "2.11.2")
    assert text == f"{LINE}\npandas\n"
    assert notes == ["The constraint line was set to Airflow 2.11.2."]


def test_a_mirror_and_a_kind_stay() -> None:
    line = "-c https://mirror.example/airflow/constraints-2.8.1/constraints-no-providers-3.11.txt"
    text, _ = fitted(line, "3.2.1")
    assert text == '--constraint "https://mirror.example/airflow/constraints-3.2.1/constraints-no-providers-3.12.txt"\n'


def test_a_constraint_file_of_the_users_stays_and_is_named() -> None:
    text, (note,) = fitted("-c /usr/local/airflow/dags/mine.txt\n", "2.11.2")
    assert text == "-c /usr/local/airflow/dags/mine.txt\n"
    assert "/usr/local/airflow/dags/mine.txt" in note


@pytest.mark.parametrize("text", ["", "pandas==2.0\n", "# --constraint nothing\npandas==2.0\n", "pandas-constraint\n"])
def test_a_line_is_added_where_there_is_none(text: str) -> None:
    assert fitted(text, "2.11.2")[0] == f"{LINE}\n{text}"


def test_fitting_twice_changes_nothing() -> None:
    once = fitted("pandas\r\nrequests\r\n", "2.11.2")[0]
    assert fitted(once, "2.11.2")[0] == once
