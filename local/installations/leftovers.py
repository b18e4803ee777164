"""Removes what a killed local AWS has left: its processes, its PostgreSQL, its folder."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from pathlib import Path

import psutil

from local.installations import processes
from local.installations.processes import RUNNING

#: Seconds within which a starting local AWS has written its state file; an older folder without one was left.
_STARTS_WITHIN = 60.0


def process_of(name: str) -> int | None:
    """The id of the process that is the local AWS of that name; None where it does not run."""
    state = RUNNING / name / "state.json"
    try:
        pid = int(json.loads(state.read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None
    return pid if psutil.pid_exists(pid) else None


def clear(name: str) -> None:
    """Ends and removes everything of a local AWS that does not run any more."""
    folder = RUNNING / name
    processes.end(name)
    _end_postgres(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


def clear_all() -> None:
    """Clears every local AWS that does not run any more."""
    for folder in RUNNING.glob("*"):
        is_starting = not (folder / "state.json").exists() and time.time() - folder.stat().st_mtime < _STARTS_WITHIN
        if process_of(folder.name) is None and not is_starting:
            clear(folder.name)


def _end_postgres(directory: Path) -> None:
    pid_file = directory / "postmaster.pid"
    if not pid_file.is_file():
        return
    with contextlib.suppress(psutil.Error, ValueError, IndexError):
        server = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if "postgres" in server.name():
            server.send_signal(signal.SIGINT)
            server.wait(timeout=10)
