from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local.aws import deployment

ROOT = Path(__file__).parents[3]
READ = [
    "template.yaml",
    "functions/plan.py",
    "functions/migration/plan/planning.py",
    "functions/migration/report/page.html",
    "functions/requirements.txt",
    "functions/Makefile",
    "dags/mwaa_migrator_export.py",
    "dags/mwaa_migrator/merge/bulk.py",
    "layers/ruff/requirements.txt",
    "layers/ruff/Makefile",
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is in the repository for the build."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("functions", "dags", "layers"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", copy)
    return copy


@pytest.mark.parametrize("file", READ)
def test_an_edit_of_anything_that_the_build_reads_is_noticed(tree: Path, file: str) -> None:
    before = deployment._fingerprint(tree / "template.yaml")
    with (tree / file).open("a") as edited:
        edited.write("\n# edited\n")
    assert deployment._fingerprint(tree / "template.yaml") != before
