"""Builds a SAM application with `sam build`, where something has changed since the last time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from local.aws import sam_template
from local.installations import interpreters
from local.installations.file_lock import exclusively


class BuildFailed(Exception):
    """`sam build` failed; the message has its output."""


def build(template: Path, built: Path) -> Path:
    """Packages the functions unless nothing has changed since the last build; returns the built template.

    Raises:
        BuildFailed: sam failed.
        local.installations.interpreters.InterpreterNotFound: the runtime's Python is not here.
    """
    # Two builds into one folder at once remove each other's files.
    with exclusively(built.parent / f"{built.name}.lock"):
        return _build(template, built)


def _build(template: Path, built: Path) -> Path:
    fingerprint = _fingerprint(template)
    marker = built / ".sources"
    if marker.is_file() and marker.read_text() == fingerprint and (built / "template.yaml").is_file():
        return built / "template.yaml"
    # sam needs the runtime's own Python on PATH.
    python = interpreters.find_or_download(_runtime_version(template))
    path = os.pathsep.join([str(python.parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sam")), "build", "--template", str(template), "--build-dir", str(built)],
        cwd=template.parent,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"`sam build` ended with {done.returncode}:\n{done.stdout}\n{done.stderr}".strip())
    marker.write_text(fingerprint)
    return built / "template.yaml"


def _fingerprint(template: Path) -> str:
    """A digest of everything that `sam build` reads."""
    digest = hashlib.sha256(template.read_bytes())
    for folder in ("functions", "dags", "layers"):
        for file in sorted((template.parent / folder).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(template.parent)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _runtime_version(template: Path) -> str:
    document = sam_template.read(template)
    runtime = document.get("Globals", {}).get("Function", {}).get("Runtime", "python3.13")
    return str(runtime).removeprefix("python")
