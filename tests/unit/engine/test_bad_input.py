"""The table of bad input names tests and errors that there are."""

from __future__ import annotations

import re
from pathlib import Path

from mwaa_migrator import errors

TESTS = Path(__file__).parents[2] / "integration" / "engine"
TABLE = (TESTS / "README.md").read_text()

#: Raised outside of the commands; tested with the DAGs and the agent.
ELSEWHERE = {
    "CutOverNotRequested",
    "CutOverWithdrawn",
    "DagsLocked",
    "DrainTimedOut",
    "SourceResumed",
    "StorageUnavailable",
    "StorageUnfit",
    "StorageUnreachable",
}


def test_tests_exist() -> None:
    named = re.findall(r"`((?:odd_databases/)?test_\w+\.py)::(test_\w+)`", TABLE)
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"


def test_every_error_has_its_case_and_its_exit_code() -> None:
    codes = {}
    for names, code in re.findall(r"\| ((?:`[A-Z]\w+`(?:, )?)+) (\d) \|", TABLE):
        codes.update(dict.fromkeys(re.findall(r"\w+", names), int(code)))
    classes = {
        name: error.exit_code
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, errors.MigratorError) and name not in ELSEWHERE
    }
    del classes["MigratorError"], classes["Refused"]
    assert codes == classes
