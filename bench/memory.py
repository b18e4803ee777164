"""The memory of a process and all its descendants, as Linux accounts it.

What is added up is each process's proportional set size (PSS): its own pages, and of every page that it shares with
others its share. Resident set sizes would count Python's and Airflow's shared libraries once for each process.

Between vfork and exec a child runs in its parent's memory, which PSS gives to both of them; it is counted once.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.aws.repeating import Repeating

#: Seconds between two readings.
INTERVAL = 0.05

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)
_HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def own_peak() -> int:
    """The largest resident set, in bytes, that the calling process has had since its program began.

    getrusage(2) tells that of the process which started it, where that was larger: exec(2) keeps it.
    """
    found = _HIGH_WATER.search((_PROC / "self" / "status").read_text())
    assert found, "Linux tells VmHWM of every process that has memory"
    return int(found[1]) * 1024


class Peak:
    """The highest reading, in bytes, and the number of readings."""

    def __init__(self) -> None:
        self.bytes = 0
        self.looks = 0


@contextmanager
def watch(pid: int) -> Iterator[Peak]:
    """Reads the memory of a process and its descendants until the block ends."""
    peak = Peak()

    def look() -> None:
        peak.bytes = max(peak.bytes, family_pss(pid))
        peak.looks += 1

    with looking(look, INTERVAL):
        yield peak


@contextmanager
def looking(look: Callable[[], None], seconds: float) -> Iterator[None]:
    """Calls `look` every `seconds` until the block ends."""
    watcher = Repeating(look, seconds, "memory")
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()


def family_pss(pid: int) -> int:
    """Bytes of a process and its descendants, now."""
    members = family(pid)
    # Asked before the reading: a process that has memory of its own never returns to its parent's.
    return sum(pss(member) for place, member in enumerate(members) if not _shares_memory(member, members[:place]))


#: kcmp(2) tells whether two processes share their memory; C libraries have no function for it.
_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
_KCMP_VM = 1


def _shares_memory(pid: int, others: Sequence[int]) -> bool:
    """Whether the process shares its memory with another one; False where the kernel does not say."""
    if _KCMP is None:
        return False
    libc = ctypes.CDLL(None)
    return any(libc.syscall(_KCMP, pid, other, _KCMP_VM, 0, 0) == 0 for other in others)


def family(pid: int) -> list[int]:
    """The process and its descendants, without those that end meanwhile."""
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
