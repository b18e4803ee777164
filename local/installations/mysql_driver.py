"""PyMySQL, for Airflow installations that have no driver of MySQL: a folder for any Python's path."""

from __future__ import annotations

import shutil
from pathlib import Path

from local.installations import uv
from local.installations.file_lock import exclusively
from local.installations.folders import BUILD, ROOT

_LOCK = ROOT / "requirements" / "pymysql.txt"


def folder() -> Path:
    """Installs it on first use, and when its lock file has changed.

    Raises:
        local.installations.uv.InstallationFailed: uv failed.
    """
    directory = BUILD / "pymysql"
    installed_from = directory / "installed-from.txt"
    with exclusively(BUILD / "pymysql.lock"):
        if not installed_from.is_file() or installed_from.read_bytes() != _LOCK.read_bytes():
            shutil.rmtree(directory, ignore_errors=True)
            uv.run(
                "pip", "install", "--quiet", "--require-hashes", "--target", str(directory), "--requirement", str(_LOCK)
            )
            installed_from.write_bytes(_LOCK.read_bytes())
    return directory
