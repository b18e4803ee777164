"""The metadata database of an environment: made at a version's head, copied, and put back."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import psycopg2

from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowInstallation
from local.installations.postgres import PostgresServer

_EMPTY_DATABASES = airflow_installation.INSTALLATIONS


class RestoreFailed(Exception):
    """psql or pg_dump failed; the message has what it printed."""


class MetadataDatabase:
    """One environment's database in the local AWS's PostgreSQL."""

    def __init__(self, server: PostgresServer, environment: str) -> None:
        self._server = server
        # MWAA calls every environment's database AirflowMetadata; here they share a server.
        self.name = f"AirflowMetadata_{re.sub(r'[^0-9a-zA-Z]', '_', environment)}"[:63]
        self._snapshot = f"{self.name[:54]}_snapshot"

    @property
    def url(self) -> str:
        return self._server.url(self.name)

    @property
    def dsn(self) -> str:
        return self._server.dsn(self.name)

    def create(self, installation: AirflowInstallation, environment: dict[str, str]) -> None:
        """Makes the database at the version's head.

        `airflow db migrate` always makes the same of an empty database, so that is kept as SQL beside the installation
        and loaded from there the next time.

        Raises:
            local.installations.airflow_installation.AirflowCommandFailed: the migrations failed.
        """
        kept = _EMPTY_DATABASES / f"{installation.version}-{_fingerprint(installation)}.sql"
        self._server.create_database(self.name)
        if kept.is_file():
            self._psql(kept)
            return
        installation.migrate_database(environment)
        partial = kept.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as output:
            self._program("pg_dump", "--no-owner", "--no-privileges", self.dsn, stdout=output.fileno())
        partial.replace(kept)

    def take_snapshot(self) -> None:
        """Copies the database, to which nobody may be connected: sessions that are left over are ended."""
        self._server.drop_database(self._snapshot)
        self._end_sessions()
        self._server.create_database(self._snapshot, template=self.name)

    def restore_snapshot(self) -> None:
        """Puts the database back as it was at the snapshot."""
        self._server.drop_database(self.name)
        self._server.create_database(self.name, template=self._snapshot)
        self.drop_snapshot()

    def drop_snapshot(self) -> None:
        self._server.drop_database(self._snapshot)

    def drop(self) -> None:
        self.drop_snapshot()
        self._server.drop_database(self.name)

    def run_sql_file(self, file: Path) -> None:
        """Runs a file of SQL, as psql does, in one transaction.

        Raises:
            RestoreFailed: a statement failed.
        """
        self._psql(file)

    def heartbeat_age(self, job_type: str) -> float | None:
        """Seconds since the last heartbeat of a running job of that type (SchedulerJob); None where there is none."""
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM now() - max(latest_heartbeat)) FROM job"
                " WHERE job_type = %s AND state = 'running'",
                (job_type,),
            )
            row = cursor.fetchone()
        connection.close()
        return None if row is None or row[0] is None else float(row[0])

    def count_dags(self, airflow_version: str) -> int:
        """The DAGs whose files the schedulers of that version find."""
        of_2, of_3 = "SELECT count(*) FROM dag WHERE is_active", "SELECT count(*) FROM dag WHERE NOT is_stale"
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(of_3 if int(airflow_version.partition(".")[0]) >= 3 else of_2)
            (number,) = cursor.fetchone() or (0,)
        connection.close()
        return int(number)

    def _end_sessions(self) -> None:
        connection = psycopg2.connect(self._server.dsn("postgres"))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,)
                )
        finally:
            connection.close()

    def _psql(self, file: Path) -> None:
        self._program(
            "psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1",
            f"--file={file}", self.dsn, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _program(self, name: str, *arguments: str, stdout: int) -> None:
        done = subprocess.run(
            [str(self._server.program(name)), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        )
        if done.returncode != 0:
            raise RestoreFailed(f"{name} failed for the database {self.name}: {done.stderr.strip()}")


def _fingerprint(installation: AirflowInstallation) -> str:
    lock = airflow_installation.REQUIREMENTS / f"{installation.version}.txt"
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
