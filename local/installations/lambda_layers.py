"""Installs Lambda layers for this machine.

A layer is built for Lambda's platform, and its programs run nowhere else. It has the lock file that it was made from,
so the same release can be installed here.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from local.installations import interpreters
from local.installations.file_lock import exclusively
from local.installations.folders import BUILD
from local.installations.uv import run

LAYERS = BUILD / "layers"
_PYTHON = "3.13"


def install(built: Path) -> Path:
    """Returns the folder that stands for /opt: `bin` has the layer's programs, `python` its modules.

    Args:
        built: the layer's folder, with its requirements.txt in it.

    Raises:
        local.installations.uv.InstallationFailed: uv failed.
    """
    lock = built / "requirements.txt"
    folder = LAYERS / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    LAYERS.mkdir(parents=True, exist_ok=True)
    with exclusively(folder.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            install = ("pip", "install", "--quiet", "--require-hashes", "--no-deps")
            python = ("--python", str(interpreters.find_or_download(_PYTHON)))
            run(*install, *python, "--target", str(unfinished / "python"), "--requirement", str(lock))
            (unfinished / "python" / "bin").rename(unfinished / "bin")
            unfinished.rename(folder)
    return folder
