"""Commands of the engine that run: waited for, held up, killed; and what a test waits for."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from sources.deployment import Command


def wait_for_phase(process: Command, phase: str) -> None:
    """Reads the command's standard error until the phase begins."""
    assert process.stderr is not None
    started = {"phase": phase, "event": "started"}
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("{") and json.loads(line) == started:
            return
    raise AssertionError(f"{phase} never began:\n{''.join(seen[-20:])}")


def kill(process: Command) -> None:
    """As the kernel does when memory is short: without a word, and without a chance to clean up."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


@contextmanager
def stopped(process: Command) -> Iterator[None]:
    """The command stands still while the block runs."""
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def eventually(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def names(tables: Mapping[str, Mapping[str, Any]], flag: str) -> Sequence[str]:
    """The tables of a result with anything under ``flag``."""
    return sorted(name for name, table in tables.items() if table[flag])
