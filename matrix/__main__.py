"""`python -m matrix`: migrates each source version to each target, into build/matrix.json and docs/versions.md's table.

The exit code is 1 if a row or a checksum differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from local.installations import mariadb
from local.installations.folders import ROOT
from local.installations.mariadb import MariaDBServer
from local.installations.postgres import PostgresServer
from matrix.migration import LOST, MARIADB, SQLITE, Migrated, Migrations

SOURCES = ("1.10.12", "2.0.2", "2.2.2", "2.4.3", "2.5.1", "2.6.3", "2.7.2", "2.8.1", "2.9.2", "2.10.3")
TARGETS = ("2.11.2", "3.0.6", "3.2.1", "3.3.1")
#: The migrations from Airflow 3.
FROM_3 = (("3.0.6", "3.3.1"), ("3.2.1", "3.2.1"))
#: Sources in other databases than PostgreSQL, and their targets.
OTHER_SOURCES = ("1.10.12", "2.2.2", "2.6.3", "2.10.3")
OTHER_TARGETS = ("2.11.2", "3.2.1")

RESULTS = ROOT / "build" / "matrix.json"
PAGE = ROOT / "docs" / "versions.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_COLUMNS = ("source", "target", "rows in", "rows out", "changed", "set aside", "checksums", "seconds")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="matrix", description=__doc__)
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help="sources (default: all; only then is the page written)"
    )
    parser.add_argument("--fill", type=int, default=2, metavar="N", help="how many sources are filled side by side")
    options = parser.parse_args(arguments)
    results: list[dict[str, Any]] = []
    # Not inside the repository, because PostgreSQL's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="matrix-") as temporary:
        directory = Path(temporary)
        with (
            PostgresServer(directory / "postgres") as server,
            MariaDBServer(directory / "mariadb") if mariadb.installed() else nullcontext() as mariadb_server,
            ThreadPoolExecutor(options.fill) as threads,
        ):
            migrations = Migrations(server, directory, mariadb_server)
            # The schedulers that fill sources wait more than they work; what is timed has the machine to itself.
            list(threads.map(migrations.source, [source for source in SOURCES if _is_wanted(source, options.versions)]))
            for source, target in _pairs(options.versions):
                results.append(_result(migrations.migrate(source, target)))
                sys.stdout.write(_row(results[-1]) + "\n")
                sys.stdout.flush()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if not options.versions and mariadb.installed():
        _write_table(results)
    return 0 if all(result["equal"] and _is_accounted_for(result) for result in results) else 1


def _is_wanted(source: str, versions: Sequence[str]) -> bool:
    return not versions or source in versions


def _pairs(versions: Sequence[str]) -> Iterator[tuple[str, str]]:
    pairs = [*((source, target) for source in SOURCES for target in TARGETS), *FROM_3]
    products = [SQLITE, MARIADB] if mariadb.installed() else [SQLITE]
    pairs += [
        (f"{source} in {product}", target)
        for product in products
        for source in OTHER_SOURCES
        for target in OTHER_TARGETS
    ]
    yield from (pair for pair in pairs if _is_wanted(pair[0], versions) or _is_wanted(pair[0].split()[0], versions))


def _result(migrated: Migrated) -> dict[str, Any]:
    return {
        "path": migrated.path,
        "rows_in": migrated.total("exported"),
        "rows_out": migrated.arrived,
        "changed": migrated.changed,
        "set_aside": dict(migrated.set_aside),
        "equal": migrated.is_equal,
        "seconds": round(sum(migrated.seconds.values()), 1),
        "tables": migrated.tables,
    }


def _is_accounted_for(result: dict[str, Any]) -> bool:
    aside = result["set_aside"]
    return LOST not in aside and bool(result["rows_in"] == result["rows_out"] + sum(aside.values()))


def _row(result: dict[str, Any]) -> str:
    source, *between, target = result["path"]
    through = f" through {between[0]}" if between else ""
    aside = "; ".join(f"{rows:,}: {reason}" for reason, rows in sorted(result["set_aside"].items())) or "0"
    equal = "equal" if result["equal"] and _is_accounted_for(result) else "**different**"
    cells = (source, target + through, f"{result['rows_in']:,}", f"{result['rows_out']:,}", f"{result['changed']:,}")
    return f"| {' | '.join([*cells, aside, equal, str(result['seconds'])])} |"


def _write_table(results: list[dict[str, Any]]) -> None:
    page = PAGE.read_text()
    head = f"| {' | '.join(_COLUMNS)} |\n" + "| --- " * len(_COLUMNS) + "|"
    table = "\n".join([BEGIN, head, *map(_row, results), END])
    PAGE.write_text(page[: page.index(BEGIN)] + table + page[page.index(END) + len(END) :])


if __name__ == "__main__":
    sys.exit(main())
