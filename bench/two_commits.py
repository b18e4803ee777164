"""Two commits of the engine against each other: whether a change has made an export or an import slower.

Pairs run in turns, each in the other order than the one before, and the median of their ratios counts: what else
the machine does falls on both.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path

from bench.engine import DAGS, Engine
from bench.laboratory import OLDER_VERSION, TARGET, TARGET_VERSION, Laboratory
from bench.results import Result
from bench.timing import Contender, ratios
from local.installations.folders import ROOT

PAIRS = 9
#: The most that this commit may take of the other's time.
BAR = 1.05


def measure(laboratory: Laboratory, commit: str, scale: float, pairs: int) -> list[Result]:
    """This working tree's engine against that of ``commit``. Each imports the artifacts that it has exported itself."""
    databases, directory = laboratory.databases, laboratory.directory
    dags = {"this": DAGS, "other": _dags_of(commit, directory / "other")}
    older, source = (
        databases.source(laboratory.older_airflow, scale),
        databases.source(laboratory.source_airflow, scale),
    )

    def artifact(who: str, kind: str) -> Path:
        return directory / f"{kind} of {who}"

    def engine(who: str, version: str) -> Engine:
        airflow, database = {
            "source": (laboratory.source_airflow, source),
            "older": (laboratory.older_airflow, older),
            "target": (laboratory.target_airflow, TARGET),
        }[version]
        return Engine(airflow, databases.environment(airflow, database), dags=dags[who])

    def export(who: str, kind: str) -> Contender:
        return Contender(
            f"export, {who} commit",
            lambda: engine(who, kind).export(artifact(who, kind)),
            prepare=lambda: shutil.rmtree(artifact(who, kind), ignore_errors=True),
        )

    def import_(who: str, kind: str) -> Contender:
        return Contender(
            f"import of {kind}, {who} commit",
            lambda: engine(who, "target").import_(artifact(who, kind)),
            prepare=lambda: databases.create_fresh(laboratory.target_airflow, TARGET),
        )

    for who in dags:
        engine(who, "older").export(artifact(who, "older"))
    return [
        Result(f"{name}: this working tree / {commit}", statistics.median(ratios(this, other, pairs)), "ratio", BAR)
        for name, this, other in (
            ("Export", export("this", "source"), export("other", "source")),
            (f"Import into {TARGET_VERSION}", import_("this", "source"), import_("other", "source")),
            (f"Import from {OLDER_VERSION}, upgraded", import_("this", "older"), import_("other", "older")),
        )
    ]


def _dags_of(commit: str, directory: Path) -> Path:
    directory.mkdir()
    archive = subprocess.run(["git", "archive", commit, "dags"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "--extract", f"--directory={directory}"], input=archive, check=True)
    return directory / "dags"
