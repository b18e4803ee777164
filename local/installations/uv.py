"""Runs uv, and makes virtual environments from lock files, each once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local.installations import interpreters
from local.installations.file_lock import exclusively

_MARKER = ".installed-from-lock"


class InstallationFailed(Exception):
    """uv could not make the installation; the message ends with what it printed."""


def make_environment(directory: Path, python_version: str, lock: Path, *options: str) -> Path:
    """Makes a virtual environment unless it is there, whole and made from that lock file; returns its Python.

    Several processes may want the same one at once: one makes it, the others wait. `options` go to `uv pip install`.

    Raises:
        local.installations.interpreters.InterpreterNotFound: that Python is not here and could not be downloaded.
        InstallationFailed: uv failed.
    """
    python = directory / "bin" / "python"
    marker = directory / _MARKER
    fingerprint = hashlib.sha256(lock.read_bytes()).hexdigest()
    if marker.is_file() and marker.read_text() == fingerprint:
        return python
    with exclusively(directory.with_name(f"{directory.name}.lock")):
        if not (marker.is_file() and marker.read_text() == fingerprint):
            shutil.rmtree(directory, ignore_errors=True)
            run("venv", "--quiet", "--python", str(interpreters.find_or_download(python_version)), str(directory))
            install = ("pip", "install", "--quiet", "--require-hashes", *options)
            run(*install, "--python", str(python), "--requirement", str(lock))
            marker.write_text(fingerprint)
    return python


def run(*arguments: str) -> str:
    """Runs uv to its end, and returns its standard error, to which it writes what it did.

    Raises:
        InstallationFailed: its exit code is not 0.
    """
    done = subprocess.run(
        [interpreters.uv(), *arguments],
        env={**os.environ, **_package_index()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallationFailed(f"`uv {' '.join(arguments)}` failed:\n{done.stderr.strip()}")
    return done.stderr


def _package_index() -> dict[str, str]:
    """An index that pip is configured with; uv does not read pip's configuration."""
    if os.environ.get("UV_DEFAULT_INDEX"):
        return {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    configured = re.findall(r"^[^=]*\.index-url='(.*)'$", listed, re.MULTILINE)
    return {"UV_DEFAULT_INDEX": configured[-1]} if configured else {}
