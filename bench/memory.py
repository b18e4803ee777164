"""The memory of a process and all its descendants, as Linux accounts it.

What is added up is each process's proportional set size (PSS): its own pages, and of every page that it shares with
others its share. Resident set sizes would count Python's and Airflow's shared libraries once for each process.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds between two looks.
INTERVAL = 0.05

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


class Peak:
    """The most that was seen, in bytes, and how many looks there were."""

    def __init__(self) -> None:
        self.bytes = 0
        self.looks = 0


@contextmanager
def watch(pid: int) -> Iterator[Peak]:
    """Looks at a process and its descendants until the block ends."""
    peak = Peak()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(INTERVAL):
            peak.bytes = max(peak.bytes, family_pss(pid))
            peak.looks += 1

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def family_pss(pid: int) -> int:
    """Bytes of a process and its descendants, now."""
    return sum(pss(member) for member in family(pid))


def family(pid: int) -> list[int]:
    """The process and its descendants; without those that end meanwhile."""
    members = [pid]
    for member in members:
        # A child belongs to the thread that started it.
        for children in (_PROC / str(member) / "task").glob("*/children"):
            with contextlib.suppress(OSError):
                members += [int(child) for child in children.read_text().split()]
    return members


def pss(pid: int) -> int:
    """Bytes; 0 for a process that has ended."""
    with contextlib.suppress(OSError):
        found = _PSS.search((_PROC / str(pid) / "smaps_rollup").read_text())
        if found is not None:
            return int(found.group(1)) * 1024
    return 0
