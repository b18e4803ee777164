"""The engine as one file does what the package does, where nothing else of this project is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sources.deployment import Deployment
from tools import engine_file


def run(file: Path, deployment: Deployment, *arguments: str) -> dict[str, Any]:
    """A command's result, of a new interpreter in a folder of the file's own. It must end with 0."""
    environment = {name: value for name, value in deployment.environment().items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(deployment.installation.python), file.name, *arguments, "--json"],
        cwd=file.parent, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return engine_file.build(tmp_path / "alone" / "mwaa_migrator.pyz")


def test_it_moves_a_database(file: Path, source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """With processes that copy, and one that runs Airflow's migrations: each of them is a child of the file."""
    artifacts = str(tmp_path / "artifacts")
    assert run(file, source, "check", "--target-version", "2.11.2")["ready"]
    exported = run(file, source, "export", "--to", artifacts, "--jobs", "2")
    imported = run(file, target, "import", "--from", artifacts, "--jobs", "2")
    assert run(file, target, "verify", "--from", artifacts, "--jobs", "2")["verified"]
    assert exported["tables"]["dag_run"]["rows"] == 200
    assert imported["tables"]["dag_run"]["merged"] == 200
    assert target.value("select count(*) from dag_run") == 200
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_python_3_7_runs_it(file: Path, old_source: Deployment, tmp_path: Path) -> None:
    exported = run(file, old_source, "export", "--to", str(tmp_path / "artifacts"))
    assert exported["source"]["airflow_version"] == "1.10.12"
