"""An import directly into Airflow 3 against what has to be done without one: `COPY FROM`, then `airflow db migrate`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench import memory, peak_memory, postgres_tools, workload
from bench.databases import Databases
from bench.import_speed import RowsDiffer
from bench.laboratory import TARGET, Laboratory
from bench.results import Result
from bench.timing import Contender, medians
from local.installations.airflow_installation import AirflowInstallation, install

AIRFLOW_3 = "3.2.1"

#: Airflow 3 has no table of task failures; their rows are set aside.
TABLES = tuple(table for table in workload.TABLES if table != "task_fail")

#: Seconds between two looks at the disk.
_INTERVAL = 0.5


class Disk:
    """The most bytes that a database had on the disk at any look."""

    def __init__(self) -> None:
        self.bytes = 0


def measure(laboratory: Laboratory, scale: float, runs: int) -> list[Result]:
    """
    Raises:
        RowsDiffer: a contender's database does not have the source's rows.
        subprocess.CalledProcessError: `airflow db migrate` or psql failed.
    """
    databases, directory = laboratory.databases, laboratory.directory
    airflow_3 = install(AIRFLOW_3)
    source = databases.source(laboratory.source_airflow, scale)
    expected = databases.count(source, TABLES)
    texts, artifact = directory / "copy for 3", directory / "artifact for 3"
    postgres_tools.copy_to_files(databases, source, texts)
    laboratory.engine(laboratory.source_airflow, source).export(artifact)
    engine = laboratory.engine(airflow_3, TARGET)

    def new_target() -> None:
        databases.create_fresh(airflow_3, TARGET)

    def target_of_source_version() -> None:
        databases.create_fresh(laboratory.source_airflow, TARGET)

    def copy() -> None:
        postgres_tools.copy_from_files(databases, TARGET, texts)

    def copy_and_migrate() -> None:
        copy()
        migrate(databases, airflow_3)

    def check() -> None:
        found = databases.count(TARGET, TABLES)
        if found != expected:
            raise RowsDiffer(f"the target has {found} rows, and the source {expected}")
        databases.drop(TARGET)

    seconds = medians(
        [
            Contender("import into 3", lambda: engine.import_(artifact), prepare=new_target, clean=check),
            Contender("copy from", copy, prepare=target_of_source_version, clean=check),
            Contender("copy from, migrate", copy_and_migrate, prepare=target_of_source_version, clean=check),
        ],
        runs,
    )
    new_target()
    with disk(databases, TARGET) as used:
        held = peak_memory.above_bare(engine, "import", "--from", str(artifact), "--id", "bench")
    kept = databases.size(TARGET)
    databases.drop(TARGET)
    import_, copied, migrated = (seconds[name] for name in ("import into 3", "copy from", "copy from, migrate"))
    return [
        Result(f"Import into {AIRFLOW_3} directly, the whole command", import_, "s"),
        Result(f"`COPY FROM` and `airflow db migrate` to {AIRFLOW_3} in place", migrated, "s"),
        Result(f"Import into {AIRFLOW_3} / `COPY FROM`", import_ / copied, "ratio", 1.8),
        Result(f"Import into {AIRFLOW_3} / `COPY FROM` and `airflow db migrate`", import_ / migrated, "ratio", 0.7),
        Result(f"Import's memory, into {AIRFLOW_3}", held, "MB", 150),
        Result(f"Import into {AIRFLOW_3}: the database at its largest / afterwards", used.bytes / kept, "ratio"),
    ]


def migrate(databases: Databases, airflow: AirflowInstallation) -> None:
    """Upgrades the target's tables in place, as a person would."""
    subprocess.run(
        [str(airflow.python), "-m", "airflow", "db", "migrate"],
        env=databases.environment(airflow, TARGET),
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


@contextmanager
def disk(databases: Databases, database: str) -> Iterator[Disk]:
    """Looks at a database's size until the block ends."""
    used = Disk()

    def look() -> None:
        used.bytes = max(used.bytes, databases.size(database))

    with memory.looking(look, _INTERVAL):
        yield used
