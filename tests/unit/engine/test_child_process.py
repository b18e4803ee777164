"""A child process has this package, and the standard library, whatever else lies in the DAG folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mwaa_migrator
import pytest

PARENT = """
import sys
sys.path.append({folder!r})
from mwaa_migrator import child_process
process = child_process.start("mwaa_migrator.copying.copy_worker")
process.stdin.write({request!r})
process.stdin.flush()
print(process.stdout.readline())
process.stdin.close()
process.wait()
"""


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """A DAG folder with this package in it."""
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "mwaa_migrator").symlink_to(Path(mwaa_migrator.__file__).parent, target_is_directory=True)
    return folder


def run(dags: Path, parent: str = PARENT, **environment: str) -> str:
    """What a process prints that is no module of the DAG folder's and has it on its path, as a task."""
    request = json.dumps({"storage": str(dags.parent), "session": None}) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", parent.format(folder=str(dags), request=request)],
        env=environment, cwd=dags.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["json", "queue", "threading", "secrets", "runpy", "importlib"])
def test_a_users_module_does_not_stand_in_for_the_standard_librarys(name: str, dags: Path) -> None:
    (dags / f"{name}.py").write_text("raise SystemExit('the DAG folder comes first')")
    assert run(dags) == '{"result": {}}'


@pytest.mark.parametrize("name", ["queue", "json"])
def test_nor_where_the_dag_folder_is_in_front_of_the_path(name: str, dags: Path) -> None:
    """PYTHONPATH as in Amazon MWAA's image of Airflow 2.9.2, and the DAG folder as the working directory."""
    (dags / f"{name}.py").write_text("raise SystemExit('the DAG folder comes first')")
    parent = "import os\nos.chdir({folder!r})\n" + PARENT
    assert run(dags, parent, PYTHONPATH=f"{dags}/:{dags.parent}/dags") == '{"result": {}}'
