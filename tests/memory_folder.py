"""A folder in memory for what the tests write.

A copy of Airflow's database is a thousand files, which a test makes and drops. On ext4 that costs as much processor
time as what is tested: the kernel looks for an inode that was not freed just now (`recently_deleted` in its ialloc.c).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psutil

_SHARED_MEMORY = Path("/dev/shm")
#: A run of the whole suite has less than 2 GiB there at any time.
_ENOUGH_BYTES = 4 * 2**30
_PREFIX = "mwaa-migrator-"


def use() -> None:
    """Has temporary files in memory, in this process and in those that it starts, if there is room.

    Whoever sets TMPDIR has chosen another place, as the process that starts the workers does for them.
    """
    if "TMPDIR" in os.environ or not has_room(_SHARED_MEMORY):
        return
    _delete_leftovers()
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_SHARED_MEMORY)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TMPDIR"] = folder
    tempfile.tempdir = None


def has_room(shared_memory: Path) -> bool:
    """Whether programs may run from there, and both it and the machine have memory enough."""
    try:
        file_system = os.statvfs(shared_memory)
    except OSError:
        return False
    free = min(file_system.f_bavail * file_system.f_frsize, psutil.virtual_memory().available)
    return free >= _ENOUGH_BYTES and not file_system.f_flag & os.ST_NOEXEC


def _delete_leftovers() -> None:
    """Deletes the folders of runs that were killed."""
    for folder in _SHARED_MEMORY.glob(f"{_PREFIX}*"):
        process = int(folder.name.removeprefix(_PREFIX).partition("-")[0])
        if not psutil.pid_exists(process):
            shutil.rmtree(folder, ignore_errors=True)
