"""Why Airflow's migrations failed, found in all that they print."""

from __future__ import annotations

import pytest
from mwaa_migrator.scratch.run_migrations import ERROR_MARK, print_error
from mwaa_migrator.scratch.upgrade import error_line

STEP = "INFO  [alembic.runtime.migration] Running upgrade 290244fb8b83 -> 98ae134e6fff, Increase length"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [STEP, "Traceback (most recent call last):", "  ...", ERROR_MARK + "DuplicateTable: exists", "a warning"],
            "DuplicateTable: exists (at 290244fb8b83 -> 98ae134e6fff, Increase length)",
        ),
        ([STEP, "ERROR - Table log has bad rows", "closing"], "ERROR - Table log has bad rows (at 290244fb8b83"),
        (["Killed", ""], "Killed"),
        ([], "they printed nothing"),
    ],
)
def test_error_line(lines: list[str], said: str) -> None:
    assert error_line(lines).startswith(said)


def test_an_error_is_one_line_with_the_rows_that_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError('could not create unique index "xcom_pkey"\nDETAIL:  Key (a)=(1) is duplicated.\n\n[SQL: x]')
    print_error(ValueError, error, None)
    said = 'ValueError: could not create unique index "xcom_pkey" DETAIL:  Key (a)=(1) is duplicated.'
    assert capsys.readouterr().err.splitlines()[-1] == ERROR_MARK + said
