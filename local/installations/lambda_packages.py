"""The packages of Lambda functions and layers, as folders that programs run from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from local.installations.file_lock import exclusively
from local.installations.folders import BUILD

UNPACKED = BUILD / "unpacked"


def unpack(package: Path) -> Path:
    """A package's folder: itself, or the one that its zip file is unpacked into, once for the same bytes."""
    if package.is_dir():
        return package.resolve()
    folder = UNPACKED / hashlib.sha256(package.read_bytes()).hexdigest()[:16]
    with exclusively(folder.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.unpack_archive(package, unfinished)
            unfinished.rename(folder)
    return folder
