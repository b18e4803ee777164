"""`python -m bench`: measures, and writes build/bench.json and the tables in docs/benchmarks.md.

The exit code is 0 when everything was measured, whether or not the bars were met; those that were missed are named.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

from bench import (
    cold_start,
    command_line,
    dag_checks,
    direct_import,
    downtime,
    export_speed,
    import_speed,
    log_copy,
    peak_memory,
    report_page,
    two_commits,
)
from bench.laboratory import Laboratory
from bench.mwaa_dr import MwaaDr
from bench.results import Result, table, write_json, write_page
from local.installations.folders import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"

#: What can be measured by itself, in the order of a whole run.
PARTS = ("speed", "memory", "direct", "downtime", "functions", "report", "checks", "command", "logs")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="rows, as a share of the workload's 2.07 million")
    parser.add_argument("--runs", type=int, help="of each contender; the median counts (3; of pairs of commits, 9)")
    parser.add_argument(
        "--against", metavar="COMMIT", help="measure the speed of that commit's engine beside this one's"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="this part only; can be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json", help="where the JSON goes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)

    chosen = options.only or PARTS
    options.runs = options.runs or (two_commits.PAIRS if options.against else 3)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    results: list[Result] = []
    of_downtime: list[Result] = []
    conditions = [f"{os.cpu_count()} cores", f"medians of {options.runs}"]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as temporary:
        directory = Path(temporary)
        if {"speed", "memory", "direct", "downtime"} & set(chosen):
            with Laboratory(directory) as laboratory:
                conditions.append(f"PostgreSQL {laboratory.server_version()} with `fsync` off, else its defaults")
                if "speed" in chosen and options.against:
                    results += two_commits.measure(laboratory, options.against, options.scale, options.runs)
                elif "speed" in chosen:
                    results += _speed(laboratory, options.scale, options.runs)
                if "memory" in chosen:
                    results += peak_memory.measure(laboratory, options.scale)
                if "direct" in chosen:
                    results += direct_import.measure(laboratory, options.scale, options.runs)
                if "downtime" in chosen:
                    of_downtime = downtime.measure(laboratory, options.scale, options.runs)
        if "functions" in chosen:
            results += cold_start.measure(directory)
        if "report" in chosen:
            results += report_page.measure(options.runs)
        if "checks" in chosen:
            results += dag_checks.measure()
        if "command" in chosen:
            results += command_line.measure()
        if "logs" in chosen:
            results += log_copy.measure(options.scale)
    write_json([*results, *of_downtime], options.out)
    sys.stdout.write(table([*results, *of_downtime]) + "\n")
    if options.scale == 1 and set(chosen) == set(PARTS) and not options.against:
        write_page(results, f"{'; '.join(conditions)}.", PAGE)
    if options.scale == 1 and of_downtime:
        write_page(of_downtime, f"{'; '.join(conditions)}.", PAGE, downtime.BEGIN)
    for result in [*results, *of_downtime]:
        if not result.ok:
            sys.stdout.write(f"missed: {result.name} is {result.value:.2f} {result.unit}, at most {result.bar}\n")
    return 0


def _speed(laboratory: Laboratory, scale: float, runs: int) -> list[Result]:
    peer = MwaaDr.install(laboratory.source_airflow, laboratory.databases)
    artifact = laboratory.directory / "artifact"
    return [
        *export_speed.measure(laboratory, peer, scale, runs, artifact),
        *import_speed.measure(laboratory, peer, scale, runs, artifact),
    ]


if __name__ == "__main__":
    sys.exit(main())
