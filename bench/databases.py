"""The PostgreSQL server of a benchmark and its databases."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from bench import workload
from local.installations import empty_airflow_database
from local.installations.airflow_installation import AirflowInstallation
from local.installations.postgres import PostgresServer

#: As when the baselines were measured: fsync off, otherwise PostgreSQL's defaults. The tests' servers change more.
SETTINGS = {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
}


class Databases:
    """Airflow's databases on one server: a filled source for each scale, and new targets, copies of an empty one."""

    def __init__(self, server: PostgresServer, home: Path) -> None:
        """`home` holds the AIRFLOW_HOME of each installation."""
        self.server = server
        self._home = home
        self._made: set[str] = set()

    def environment(self, airflow: AirflowInstallation, database: str) -> dict[str, str]:
        """The environment variables of that Airflow's processes with that database."""
        home = self._home / airflow.version
        (home / "dags").mkdir(parents=True, exist_ok=True)
        return airflow.environment(home, self.server.url(database))

    def source(self, airflow: AirflowInstallation, scale: float, dags: int = workload.DAGS) -> str:
        """The name of a database with the workload's rows."""
        name = f"source_{airflow.version}_{scale}_{dags}"
        if name not in self._made:
            self.server.create_database(name, template=self._empty(airflow))
            with self.connection(name) as connection:
                workload.fill(connection, scale, dags)
            self._made.add(name)
        return name

    def create_fresh(self, airflow: AirflowInstallation, name: str) -> str:
        """Makes a database of that Airflow without history; one of the same name is replaced."""
        template = self._empty(airflow)
        self.server.drop_database(name)
        self.server.create_database(name, template=template)
        self.settle()
        return name

    def create_copy(self, name: str, of: str) -> str:
        """Makes a copy of a database; one of the same name is replaced."""
        self.server.drop_database(name)
        self.server.create_database(name, template=of)
        self.settle()
        return name

    def create_without_tables(self, name: str) -> str:
        """Makes an empty database; one of the same name is replaced."""
        self.server.drop_database(name)
        self.server.create_database(name)
        self.settle()
        return name

    def drop(self, name: str) -> None:
        self.server.drop_database(name)
        self._made.discard(name)

    @contextmanager
    def connection(self, database: str) -> Iterator[Any]:
        connection = psycopg2.connect(self.server.dsn(database))
        try:
            yield connection
        finally:
            connection.close()

    def settle(self) -> None:
        """Writes out what earlier work has left in the buffers, so that no contender pays for another's rows."""
        self.psql("postgres", "checkpoint")

    def psql(self, database: str, *statements: str) -> None:
        """
        Raises:
            subprocess.CalledProcessError: a statement failed.
        """
        subprocess.run(self.psql_command(database, *statements), check=True, stdout=subprocess.DEVNULL)

    def psql_command(self, database: str, *statements: str) -> list[str]:
        """psql with each statement in a transaction of its own; it stops at the first that fails."""
        options = [option for statement in statements for option in ("--command", statement)]
        program = str(self.server.program("psql"))
        return [program, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", self.server.dsn(database), *options]

    def count(self, database: str, tables: Sequence[str] = workload.TABLES) -> dict[str, int]:
        """The rows of tables, by default the workload's."""
        rows = {}
        with self.connection(database) as connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"select count(*) from {table}")
                rows[table] = int(cursor.fetchone()[0])
        return rows

    def size(self, database: str) -> int:
        """Its bytes on the disk."""
        with self.connection("postgres") as connection, connection.cursor() as cursor:
            cursor.execute("select pg_database_size(%s)", [database])
            return int(cursor.fetchone()[0])

    def _empty(self, airflow: AirflowInstallation) -> str:
        name = f"empty_{airflow.version}"
        if name not in self._made:
            empty_airflow_database.create(self.server, name, airflow, self.environment(airflow, name))
            self._made.add(name)
        return name
