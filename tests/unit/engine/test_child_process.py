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


@pytest.mark.parametrize("name", ["json", "queue", "threading", "secrets", "runpy"])
def test_a_users_module_does_not_stand_in_for_the_standard_librarys(name: str, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "mwaa_migrator").symlink_to(Path(mwaa_migrator.__file__).parent, target_is_directory=True)
    (dags / f"{name}.py").write_text("raise SystemExit('the DAG folder comes first')")
    request = json.dumps({"storage": str(tmp_path), "session": None}) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", PARENT.format(folder=str(dags), request=request)],
        env={}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == '{"result": {}}', done.stderr
