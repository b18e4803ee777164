"""Every assumption names the check of doctor that tells whether it is right, or says why there is none."""

from __future__ import annotations

from local.installations.folders import ROOT
from mwaa_migrator_cli.doctor.examination import CHECKS
from tools import function_rights

PAGE = (ROOT / "docs" / "assumptions.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("| assumption |", "| --- |"))
]


def test_the_page_names_each_check_and_no_other() -> None:
    named = {row[-1] for row in ROWS if not row[-1].startswith("none: ")}
    assert named == {check.name for check in CHECKS}


def test_an_assumption_has_all_its_cells() -> None:
    assert [row for row in ROWS if len(row) != 5 or not all(row)] == []


def test_the_rights_that_doctor_asks_for_are_the_templates() -> None:
    """Generated, because the command line is installed without the template."""
    assert function_rights.FILE.read_text(encoding="utf-8") == function_rights.text(), "run `make generate`"
