"""What is left of a local AWS when it ends: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.installations import leftovers, processes


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for module in (processes, leftovers):
        monkeypatch.setattr(module, "RUNNING", tmp_path)
    yield tmp_path
    processes.end("run-1")


def start(home: Path, name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    home.mkdir(parents=True, exist_ok=True)
    code = "import time; time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", code, name], cwd=home, env={**os.environ, **environment})


def test_a_process_ends_by_its_marker_or_by_where_it_works(running: Path) -> None:
    home = running / "run-1" / "environments" / "old" / "airflow"
    by_marker = start(running, "x", {processes.MARKER: "run-1/old"})
    retitled = start(home, "airflow scheduler", {})
    somebodys_shell = start(home, "vi", {})
    another = start(running / "run-2" / "environments" / "old", "airflow", {processes.MARKER: "run-2/old"})
    try:
        processes.end("run-1", patience=2)
        assert by_marker.poll() is not None
        assert retitled.poll() is not None
        assert somebodys_shell.poll() is None
        assert another.poll() is None
    finally:
        somebodys_shell.kill()
        another.kill()
        somebodys_shell.wait()
        another.wait()


def test_what_was_killed_is_cleared_and_what_starts_is_left(running: Path) -> None:
    for name in ("killed", "dead", "starting"):
        (running / name).mkdir()
    (running / "dead" / "state.json").write_text('{"pid": 2147483647}')
    hour_ago = time.time() - 3600
    os.utime(running / "killed", (hour_ago, hour_ago))
    leftovers.clear_all()
    assert [path.name for path in running.iterdir()] == ["starting"]
