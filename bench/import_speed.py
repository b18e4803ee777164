"""Import against `COPY FROM`, mwaa-dr's restore and `pg_restore`."""

from __future__ import annotations

from pathlib import Path

from bench import postgres_tools
from bench.laboratory import OLDER_VERSION, TARGET, TARGET_VERSION, Laboratory
from bench.mwaa_dr import MwaaDr
from bench.results import Result
from bench.timing import Contender, medians


class RowsDiffer(Exception):
    """A contender did not bring every row to the target, so its time says nothing."""


def measure(laboratory: Laboratory, peer: MwaaDr, scale: float, runs: int, artifact: Path) -> list[Result]:
    """`artifact` and mwaa-dr's backup must have been made of the workload at that scale.

    Raises:
        RowsDiffer: a target does not have the source's rows.
    """
    databases = laboratory.databases
    source = databases.source(laboratory.source_airflow, scale)
    expected = databases.count(source)
    texts, dump = laboratory.directory / "copy", laboratory.directory / "dump"
    postgres_tools.copy_to_files(databases, source, texts)
    postgres_tools.dump(databases, source, dump)
    older = laboratory.artifact(laboratory.older_airflow, scale, laboratory.directory / "older")
    engine = laboratory.engine(laboratory.target_airflow, TARGET)

    def new_target() -> None:
        databases.create_fresh(laboratory.target_airflow, TARGET)

    def target_of_source_version() -> None:
        databases.create_fresh(laboratory.source_airflow, TARGET)

    def check() -> None:
        found = databases.count(TARGET)
        if found != expected:
            raise RowsDiffer(f"the target has {found} rows, and the source {expected}")
        databases.drop(TARGET)

    seconds = medians(
        [
            Contender("import", lambda: engine.import_(artifact), prepare=new_target, clean=check),
            Contender(
                "copy from",
                lambda: postgres_tools.copy_from_files(databases, TARGET, texts),
                prepare=target_of_source_version,
                clean=check,
            ),
            Contender("mwaa-dr restore", lambda: peer.restore(TARGET), prepare=target_of_source_version, clean=check),
            Contender(
                "pg_restore",
                lambda: postgres_tools.restore(databases, TARGET, dump),
                prepare=lambda: databases.create_without_tables(TARGET),
                clean=check,
            ),
        ],
        runs,
    )
    # It has no peer to take turns with, so one run is enough.
    upgrading = Contender("import with upgrade", lambda: engine.import_(older), prepare=new_target, clean=check)
    upgraded = medians([upgrading], 1)[upgrading.name]
    import_, copy, restore = seconds["import"], seconds["copy from"], seconds["mwaa-dr restore"]
    return [
        Result(f"Import into {TARGET_VERSION}, the whole command", import_, "s"),
        Result("`COPY FROM` into the live tables", copy, "s"),
        Result("mwaa-dr's restore, its tasks one after the other", restore, "s"),
        Result("`pg_restore -j 2`", seconds["pg_restore"], "s"),
        Result(f"Import of the same rows from {OLDER_VERSION}, upgraded (one run)", upgraded, "s"),
        Result("Import / `COPY FROM`", import_ / copy, "ratio", 1.0),
        Result("Import / mwaa-dr's restore", import_ / restore, "ratio", 0.7),
        Result("Import / `pg_restore -j 2`", import_ / seconds["pg_restore"], "ratio"),
    ]
