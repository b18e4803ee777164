"""Export against `COPY` through gzip and against mwaa-dr's backup."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path

from bench import postgres_tools
from bench.laboratory import Laboratory
from bench.mwaa_dr import MwaaDr
from bench.results import Result
from bench.timing import Contender, medians


def measure(laboratory: Laboratory, peer: MwaaDr, scale: float, runs: int, artifact: Path) -> list[Result]:
    """Leaves the last artifact in `artifact`, and mwaa-dr's last backup where its restore finds it."""
    databases = laboratory.databases
    source = databases.source(laboratory.source_airflow, scale)
    engine = laboratory.engine(laboratory.source_airflow, source)
    phases: list[float] = []
    tasks: list[Mapping[str, float]] = []

    def forget_artifact() -> None:
        shutil.rmtree(artifact, ignore_errors=True)
        databases.settle()

    seconds = medians(
        [
            Contender(
                "export",
                lambda: engine.export(artifact),
                prepare=forget_artifact,
                clean=lambda: phases.append(sum(engine.phases.values())),
            ),
            Contender(
                "copy | gzip",
                lambda: postgres_tools.copy_to_gzip(databases, source, laboratory.directory / "copy.gz"),
                prepare=databases.settle,
            ),
            Contender(
                "mwaa-dr backup",
                lambda: tasks.append(peer.backup(source)),
                prepare=databases.settle,
                clean=lambda: peer.forget_backup(source),
            ),
        ],
        runs,
    )
    export, copy, backup = seconds["export"], seconds["copy | gzip"], seconds["mwaa-dr backup"]
    chain = statistics.median(
        task["export_tables.export_xcoms"] + task["export_tables.export_task_instances"] for task in tasks
    )
    return [
        Result("Export, the whole command", export, "s"),
        Result("Export without starting Python and importing Airflow", statistics.median(phases), "s"),
        Result("`COPY` through `gzip -1`", copy, "s"),
        Result("mwaa-dr's backup, its tasks one after the other", backup, "s"),
        Result("mwaa-dr's backup, its longest chain of tasks alone", chain, "s"),
        Result("Export / `COPY` through `gzip -1`", export / copy, "ratio", 1.6),
        Result("Export / mwaa-dr's backup", export / backup, "ratio", 0.2),
    ]
