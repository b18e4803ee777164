"""The processor time of a benchmark's server and of the processes that it has started.

On a machine that has other work to do it says more than seconds do.
"""

from __future__ import annotations

import resource
from pathlib import Path

import psutil


def of_own_children() -> float:
    """Seconds of those that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_server(directory: Path) -> float:
    """Seconds of a running PostgreSQL server, by its data directory, with the sessions that have ended."""
    postmaster = psutil.Process(int((directory / "postmaster.pid").read_text().split()[0]))
    times = postmaster.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for process in postmaster.children():
        of_process = process.cpu_times()
        seconds += of_process.user + of_process.system
    return float(seconds)
