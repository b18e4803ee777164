"""Finds and ends the processes of a local AWS, those included that have left their parent's process group.

Airflow's tasks run in process groups of their own, and outlive a scheduler that is killed. They are found by an
environment variable that all of them inherit, and by the folder that they work in, because a process that sets its
title overwrites its environment.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

from local.installations.folders import BUILD

#: Has a folder for each local AWS that runs.
RUNNING = BUILD / "local"

#: The variable in the environment of each of its processes: `<local AWS>` or `<local AWS>/<MWAA environment>`.
MARKER = "LOCAL_AWS"


def marked(marker: str) -> list[psutil.Process]:
    """The processes with that marker, or with one that begins with it and a slash, and every Airflow in its folder."""
    name, _, environment = marker.partition("/")
    folder = RUNNING / name / "environments" / environment
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            value = process.environ().get(MARKER, "")
            if value == marker or value.startswith(f"{marker}/") or _is_airflow_in(process, folder):
                found.append(process)
    return found


def _is_airflow_in(process: psutil.Process, folder: Path) -> bool:
    # Airflow's servers of logs call themselves gunicorn, and outlive a scheduler that is killed.
    names = ("airflow", "gunicorn")
    is_airflow = any(name in part for part in process.cmdline() for name in names)
    # The folder may be gone, which its path then says at its end.
    return is_airflow and Path(process.cwd()).is_relative_to(folder)


def end(marker: str, patience: float = 5.0) -> None:
    """Terminates the marked processes, and kills those that have not ended after `patience` seconds."""
    running = marked(marker)
    for process in running:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(running, timeout=patience)
    deadline = time.monotonic() + 10
    # A dying scheduler can still start tasks, so they are looked for until there are none.
    while (alive := marked(marker)) and time.monotonic() < deadline:
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=2)
