"""The metadata database of an environment: made at a version's head, copied, and put back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from local.installations import empty_airflow_database, metadata_roles
from local.installations.airflow_installation import AirflowInstallation
from local.installations.postgres import PostgresServer


class MetadataDatabase:
    """One environment's database in the local AWS's PostgreSQL."""

    def __init__(self, server: PostgresServer, environment: str) -> None:
        self._server = server
        # MWAA calls every environment's database AirflowMetadata; here they share a server.
        self.name = f"AirflowMetadata_{re.sub(r'[^0-9a-zA-Z]', '_', environment)}"[:63]
        self._snapshot = f"{self.name[:54]}_snapshot"

    @property
    def url(self) -> str:
        """For its owner; Airflow has another one (database_access.py)."""
        return self._server.url(self.name, metadata_roles.OWNER)

    @property
    def dsn(self) -> str:
        """For a superuser."""
        return self._server.dsn(self.name)

    def create(self, installation: AirflowInstallation, environment: Mapping[str, str]) -> None:
        """Makes the database at the version's head.

        Raises:
            local.installations.airflow_installation.AirflowCommandFailed: the migrations failed.
            local.installations.empty_airflow_database.RestoreFailed: what was kept of them could not be loaded.
        """
        empty_airflow_database.create(self._server, self.name, installation, environment)

    @contextmanager
    def new_sessions_as_owner(self) -> Iterator[None]:
        """Inside the block Airflow's new sessions make what they make for the owner, as Amazon MWAA migrates."""
        of_role = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(
            sql.Identifier(metadata_roles.USER), sql.Identifier(self.name)
        )
        with self._server.administration() as cursor:
            cursor.execute(of_role + sql.SQL(" SET role = {}").format(sql.Identifier(metadata_roles.OWNER)))
        try:
            yield
        finally:
            with self._server.administration() as cursor:
                cursor.execute(of_role + sql.SQL(" RESET role"))

    def take_snapshot(self) -> None:
        """Copies the database, to which nobody may be connected: sessions that are left over are ended."""
        self._server.drop_database(self._snapshot)
        self._end_sessions()
        metadata_roles.copy_database(self._server, self.name, self._snapshot)

    def restore_snapshot(self) -> None:
        """Puts the database back as it was at the snapshot."""
        self._server.drop_database(self.name)
        metadata_roles.copy_database(self._server, self._snapshot, self.name)
        self.drop_snapshot()

    def drop_snapshot(self) -> None:
        self._server.drop_database(self._snapshot)

    def drop(self) -> None:
        self.drop_snapshot()
        self._server.drop_database(self.name)

    def run_sql_file(self, file: Path) -> None:
        """Runs a file of SQL as the owner, in one transaction.

        Raises:
            local.installations.empty_airflow_database.RestoreFailed: a statement failed.
        """
        empty_airflow_database.run_sql_file(self._server, self.name, file)

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
