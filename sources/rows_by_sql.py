"""Rows made by SQL alone: in every table that an export takes, without an Airflow that runs."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent

#: SQL that gives such rows, in Airflow 3, what that adds to them. Its parameters: `dags`, `version`.
AIRFLOW_3 = (_FOLDER / "rows_3.sql").read_text(encoding="utf-8")


def statements(release: tuple[int, ...]) -> str:
    """SQL that fills a new metadata database of a version, (1, 10, 12) or from (2, 10) on.

    Its parameters, in psycopg2's style: `world`, a word that is part of all names; `dags` and `runs`, their numbers.
    """
    name = "rows_2_10.sql" if release >= (2, 10) else "rows_1_10_12.sql"
    return (_FOLDER / name).read_text(encoding="utf-8")
