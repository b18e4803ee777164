from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local.installations import interpreters

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def fake_python(python: Path, version: str) -> None:
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)


def test_finds_the_running_version_outside_the_development_environment() -> None:
    found = interpreters.find_or_download(RUNNING)
    assert found.is_file()
    assert not found.is_relative_to(Path(sys.prefix))


def test_finds_the_newest_patch_that_pyenv_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in ("2", "10", "9"):
        fake_python(tmp_path / "versions" / f"3.99.{patch}" / "bin" / "python3.99", "3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert interpreters.find_or_download("3.99") == tmp_path / "versions" / "3.99.10" / "bin" / "python3.99"


def test_passes_over_what_answers_with_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_python(tmp_path / "versions" / "3.99.1" / "bin" / "python3.99", "3.98")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(interpreters.InterpreterNotFound, match=r"no Python 3\.99 .*install it"):
        interpreters.find_or_download("3.99")
