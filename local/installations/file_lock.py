"""Keeps processes from making the same files at once."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusively(file: Path) -> Iterator[None]:
    """Waits for the lock on a file, and holds it for the block. A process that dies lets go of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
