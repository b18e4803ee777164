"""The engine's peak memory, above what importing Airflow takes, and whether it grows with the rows."""

from __future__ import annotations

import shutil
import subprocess

from bench import memory
from bench.engine import Engine
from bench.laboratory import OLDER_VERSION, TARGET, Laboratory
from bench.results import Result

MEGABYTE = 1024 * 1024

#: The share of the scale for the import with an upgrade, whose memory is that of the migrations, whatever the rows.
_SHARE_WITH_UPGRADE = 0.1


def measure(laboratory: Laboratory, scale: float) -> list[Result]:
    """At `scale` and at four times as many rows."""
    export, import_ = _export_and_import(laboratory, scale)
    databases = laboratory.databases
    databases.drop(databases.source(laboratory.source_airflow, scale))
    export_of_4, import_of_4 = _export_and_import(laboratory, 4 * scale)
    upgrading = _import_with_upgrade(laboratory, scale * _SHARE_WITH_UPGRADE)
    return [
        Result("Export's memory", export, "MB", 150),
        Result("Export's memory, 4 times the rows", export_of_4, "MB", 150),
        Result("Export's memory, 4 times the rows / once", export_of_4 / export, "ratio", 1.1),
        Result("Import's memory", import_, "MB", 150),
        Result("Import's memory, 4 times the rows", import_of_4, "MB", 150),
        Result("Import's memory, 4 times the rows / once", import_of_4 / import_, "ratio", 1.1),
        Result(f"Import's memory, from {OLDER_VERSION}, upgraded", upgrading, "MB", 150),
    ]


def _export_and_import(laboratory: Laboratory, scale: float) -> tuple[float, float]:
    databases = laboratory.databases
    artifact = laboratory.directory / "artifact-for-memory"
    source = databases.source(laboratory.source_airflow, scale)
    exporting = laboratory.engine(laboratory.source_airflow, source)
    export = above_bare(exporting, "export", "--to", str(artifact))
    databases.create_fresh(laboratory.target_airflow, TARGET)
    import_ = above_bare(laboratory.engine(laboratory.target_airflow, TARGET), "import", "--from", str(artifact))
    databases.drop(TARGET)
    shutil.rmtree(artifact)
    return export, import_


def _import_with_upgrade(laboratory: Laboratory, scale: float) -> float:
    artifact = laboratory.artifact(laboratory.older_airflow, scale, laboratory.directory / "older-for-memory")
    laboratory.databases.create_fresh(laboratory.target_airflow, TARGET)
    peak = above_bare(laboratory.engine(laboratory.target_airflow, TARGET), "import", "--from", str(artifact))
    laboratory.databases.drop(TARGET)
    return peak


def above_bare(engine: Engine, *arguments: str) -> float:
    """The peak of a command and its processes, in megabytes, less what a process holds that only imports Airflow."""
    with engine.start(*arguments) as process, memory.watch(process.pid) as peak:
        engine.finish(process)
    return (peak.bytes - _bare_import(engine)) / MEGABYTE


def _bare_import(engine: Engine) -> int:
    # A byte on its output says that the import is done; it ends when its input does.
    wait = "import airflow, sys; sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen(
        [str(engine.airflow.python), "-c", wait],
        env=dict(engine.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as bare:
        assert bare.stdout
        assert bare.stdin
        bare.stdout.read(1)
        held = memory.family_pss(bare.pid)
        bare.stdin.close()
    return held
