"""How long people wait for the command line's help."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.results import Result

#: The median counts. The first run does not: it reads files that are not in memory yet.
RUNS = 10


def measure() -> list[Result]:
    """The median of `mwaa-migrator --help`, including the start of Python."""
    command = [str(Path(sys.executable).with_name("mwaa-migrator")), "--help"]
    seconds = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begun)
    return [Result("`mwaa-migrator --help`", statistics.median(seconds[1:]), "s", 0.3)]
