"""What a benchmark of metadata needs: one server, the Airflow installations, and room for files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench import workload
from bench.databases import SETTINGS, Databases
from bench.engine import Engine
from local.installations.airflow_installation import AirflowInstallation, install
from local.installations.postgres import PostgresServer

#: The version that a 3.x target is created at. Its schema revision is the workload's.
TARGET_VERSION = "2.11.2"

#: A source with the workload's columns at an earlier revision, so that Airflow's own migrations upgrade its tables.
OLDER_VERSION = "2.9.2"

#: The one database that contenders import into, made anew for each.
TARGET = "target"


class Laboratory:
    """A context manager; its files are below `directory`, and the server ends with the block."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source_airflow = install(workload.AIRFLOW_VERSION)
        self.target_airflow = install(TARGET_VERSION)
        self.older_airflow = install(OLDER_VERSION)
        self._exit = ExitStack()

    def __enter__(self) -> Laboratory:
        server = PostgresServer(self.directory / "postgres", SETTINGS)
        self._exit.enter_context(server)
        self.databases = Databases(server, self.directory / "airflow")
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def engine(self, airflow: AirflowInstallation, database: str) -> Engine:
        return Engine(airflow, self.databases.environment(airflow, database))

    def artifact(self, airflow: AirflowInstallation, scale: float, directory: Path) -> Path:
        """An artifact of that Airflow's workload, below `directory`; the source is dropped again."""
        source = self.databases.source(airflow, scale)
        self.engine(airflow, source).export(directory)
        self.databases.drop(source)
        return directory

    def server_version(self) -> str:
        with self.databases.connection("postgres") as connection:
            version: str = connection.info.parameter_status("server_version")
            return version
