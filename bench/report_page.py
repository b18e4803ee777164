"""What a report costs: rendering a large deployment's page, in a process that has to import everything first."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from bench.results import Result
from local.installations.folders import ROOT

DAGS, TABLES = 2000, 40
MEGABYTE = 1024 * 1024

_RENDER = """
import sys, time
from tools.example_report import example
report = example(int(sys.argv[1]), int(sys.argv[2]))
begun = time.perf_counter()
from migration.report import markdown, page
rendered = page.render(report)
markdown.render(report)
sys.stdout.write(f"{time.perf_counter() - begun} {len(rendered.encode())}")
"""


def measure(runs: int) -> list[Result]:
    """The median seconds of `runs` processes, and the page's size."""
    rendered = [_render() for _ in range(runs)]
    what = f"report of {DAGS:,} DAGs and {TABLES} tables"
    return [
        Result(
            f"Rendering the {what}, imports included", statistics.median(seconds for seconds, _ in rendered), "s", 2
        ),
        Result(f"Page of the {what}", rendered[0][1] / MEGABYTE, "MB", 2),
    ]


def _render() -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-c", _RENDER, str(DAGS), str(TABLES)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, size = done.stdout.split()
    return float(seconds), int(size)
