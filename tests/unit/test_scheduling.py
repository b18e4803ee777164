from __future__ import annotations

import pytest

from tests.scheduling import next_file

E2E, ENGINE, UNIT = "tests/e2e/test_migration.py", "tests/integration/engine/test_export.py", "tests/unit/test_pages.py"


@pytest.mark.parametrize(
    ("waiting", "spare", "file"),
    [
        ([E2E, ENGINE, UNIT], True, ENGINE),
        ([ENGINE, E2E, UNIT], False, E2E),
        ([UNIT, ENGINE], False, UNIT),
        ([E2E], True, None),
        ([], True, None),
    ],
    ids=[
        "a spare worker takes no file that must be in time",
        "the others take those first",
        "then what is left",
        "none",
        "end",
    ],
)
def test_which_file_a_worker_takes(waiting: list[str], spare: bool, file: str | None) -> None:
    assert next_file(waiting, spare=spare) == file
