"""The Python in which Lambda functions run here."""

from __future__ import annotations

from pathlib import Path

from local.installations.folders import BUILD, ROOT
from local.installations.uv import environment_from_lock


def python_of(runtime: str) -> Path:
    """The interpreter of a runtime (`python3.13`), with AWS's runtime client and the SDK that Lambda brings.

    Raises:
        local.installations.interpreters.InterpreterNotFound: that Python is not here and could not be downloaded.
        local.installations.uv.InstallationFailed: uv failed.
    """
    lock = ROOT / "requirements" / "lambda-runtime.txt"
    return environment_from_lock(BUILD / "lambda-runtime" / runtime, runtime.removeprefix("python"), lock)
