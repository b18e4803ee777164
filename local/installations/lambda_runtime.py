"""The Python that runs Lambda functions here."""

from __future__ import annotations

from pathlib import Path

from local.installations.folders import BUILD, ROOT
from local.installations.uv import make_environment


def install(runtime: str) -> Path:
    """Installs a runtime (`python3.13`) unless it is there: AWS's runtime client, and the SDK that Lambda brings.

    Returns its interpreter.

    Raises:
        local.installations.interpreters.InterpreterNotFound: that Python is not here and could not be downloaded.
        local.installations.uv.InstallationFailed: uv failed.
    """
    lock = ROOT / "requirements" / "lambda-runtime.txt"
    return make_environment(BUILD / "lambda-runtime" / runtime, runtime.removeprefix("python"), lock)
