"""Finds the Python interpreters that Airflow's versions and Lambda's runtimes need.

`python -m local.installations.interpreters 3.7` prints the path of one, for the Makefile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


class InterpreterNotFound(Exception):
    """No Python of that version is here, and none could be downloaded."""


def uv() -> str:
    """The path of uv: the development environment's own, else the one on PATH.

    Raises:
        InterpreterNotFound: there is none.
    """
    own = Path(sys.executable).with_name("uv")
    found = str(own) if own.is_file() else shutil.which("uv")
    if found is None:
        raise InterpreterNotFound("uv is not installed; run `make setup`")
    return found


def find_or_download(version: str) -> Path:
    """The interpreter of a version such as "3.11".

    It is looked for where uv looks and in pyenv's versions, which uv does not search; else uv downloads it.

    Raises:
        InterpreterNotFound: none of the three has one that starts.
    """
    for candidate in (_found_by_uv(version), *_pyenv_versions(version)):
        if candidate is not None and _is(candidate, version):
            return candidate
    download = _run(uv(), "python", "install", version)
    candidate = _found_by_uv(version)
    if candidate is None:
        raise InterpreterNotFound(
            f"no Python {version} was found, and uv could not download one; install it (with pyenv, for example) "
            f"and try again. uv printed: {download.stderr.strip()}"
        )
    return candidate


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _found_by_uv(version: str) -> Path | None:
    # --system: the development environment must not be the base of another environment.
    answer = _run(uv(), "python", "find", "--system", "--no-python-downloads", version)
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def _pyenv_versions(version: str) -> list[Path]:
    """pyenv's interpreters of that version, the newest patch first."""
    root = os.environ.get("PYENV_ROOT")
    if root is None:
        pyenv = shutil.which("pyenv")
        if pyenv is None:
            return []
        root = _run(pyenv, "root").stdout.strip()
    found = Path(root, "versions").glob(f"{version}.*/bin/python{version}")
    return sorted(found, key=_patch, reverse=True)


def _patch(python: Path) -> int:
    last = python.parent.parent.name.split(".")[-1]
    return int(last) if last.isdigit() else -1


def _is(python: Path, version: str) -> bool:
    """Whether it starts and has that version; pyenv has shims for versions that are not selected, too."""
    answer = _run(str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    return answer.returncode == 0 and answer.stdout.strip() == version


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find_or_download(sys.argv[1])}\n")
    except InterpreterNotFound as error:
        sys.exit(str(error))
