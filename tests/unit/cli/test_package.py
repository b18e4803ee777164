"""What is installed is the command and the functions' own code, and nothing else of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def test_its_packages(installed: Path) -> None:
    packages = {item.name for item in installed.iterdir() if not item.name.endswith(".dist-info")}
    assert packages == {"data_pipeline", "migration", "mwaa_migrator_cli"}
    code = {file.relative_to(ROOT / "functions") for file in (ROOT / "functions" / "migration").rglob("*.*")}
    packed = {file.relative_to(installed) for file in (installed / "migration").rglob("*.*")}
    assert packed == {file for file in code if file.suffix != ".pyc"}


def test_it_runs_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "mwaa_migrator_cli", "plan", "input.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "MissingField at source" in done.stderr
