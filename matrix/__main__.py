"""`python -m matrix`: migrates each source version, into build/matrix.json and the table in docs/versions.md.

The exit code is 1 if a row or a checksum differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.installations.folders import ROOT
from local.installations.postgres import PostgresServer
from matrix.migration import IMPORT_VERSION, NEWEST, Migrated, hop, make_source, migrate

SOURCES = ("1.10.12", "2.0.2", "2.2.2", "2.4.3", "2.5.1", "2.6.3", "2.7.2", "2.8.1", "2.9.2", "2.10.3")

#: The sources whose migration also hops to Airflow 3.
HOPS = ("2.5.1", "2.10.3")

RESULTS = ROOT / "build" / "matrix.json"
PAGE = ROOT / "docs" / "versions.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="matrix", description=__doc__)
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help="sources (default: all; only then is the page written)"
    )
    parser.add_argument("--fill", type=int, default=2, metavar="N", help="how many sources are filled side by side")
    options = parser.parse_args(arguments)
    chosen = options.versions or SOURCES
    results: list[dict[str, Any]] = []
    # Not inside the repository, because PostgreSQL's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="matrix-") as temporary:
        directory = Path(temporary)
        with PostgresServer(directory / "postgres") as server, ThreadPoolExecutor(options.fill) as threads:
            # The schedulers that fill sources wait more than they work; what is timed has the machine to itself.
            made = list(threads.map(lambda version: make_source(version, server, directory), chosen))
            for source in made:
                migrated = migrate(source, server, directory)
                results.append(_imported(source.version, migrated))
                _say(results[-1])
                if source.version in HOPS:
                    results.append(_hopped(source.version, migrated))
                    _say(results[-1])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if not options.versions:
        _write_table(results)
    return 0 if all(result["equal"] for result in results) else 1


def _imported(version: str, migrated: Migrated) -> dict[str, Any]:
    rows_out = migrated.total("merged") + migrated.total("kept")
    return {
        "source": version,
        "target": IMPORT_VERSION,
        "rows_in": migrated.total("exported"),
        "rows_out": rows_out,
        "set_aside": migrated.total("set_aside"),
        "equal": migrated.verified["verified"] and all(table["match"] for table in migrated.tables.values()),
        "seconds": round(sum(migrated.seconds.values()), 1),
        "tables": migrated.tables,
    }


def _hopped(version: str, migrated: Migrated) -> dict[str, Any]:
    hopped = hop(migrated.target)
    return {
        "source": f"{version} in {IMPORT_VERSION}",
        "target": NEWEST,
        "rows_in": sum(rows for rows, _ in hopped.before.values()),
        "rows_out": sum(rows for rows, _ in hopped.after.values()),
        "set_aside": 0,
        "equal": hopped.before == hopped.after,
        "seconds": round(hopped.seconds, 1),
    }


def _say(result: dict[str, Any]) -> None:
    sys.stdout.write(_row(result) + "\n")
    sys.stdout.flush()


def _row(result: dict[str, Any]) -> str:
    equal = "equal" if result["equal"] else "**different**"
    return (
        f"| {result['source']} | {result['target']} | {result['rows_in']:,} | {result['rows_out']:,} "
        f"| {result['set_aside']:,} | {equal} | {result['seconds']} |"
    )


def _write_table(results: list[dict[str, Any]]) -> None:
    page = PAGE.read_text()
    head = "| source | target | rows in | rows out | set aside | checksums | seconds |\n" + "| --- " * 7 + "|"
    table = "\n".join([BEGIN, head, *map(_row, results), END])
    PAGE.write_text(page[: page.index(BEGIN)] + table + page[page.index(END) + len(END) :])


if __name__ == "__main__":
    sys.exit(main())
