"""A new metadata database at a version's head: made by Airflow once, and kept as SQL beside the installation."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.installations import airflow_installation, metadata_roles
from local.installations.airflow_installation import AirflowInstallation
from local.installations.postgres import PostgresServer

#: Settings at the beginning of a dump that PostgreSQL 11 does not have, and that change nothing here.
_NEWER_SETTINGS = ("SET transaction_timeout", "SET default_table_access_method")


class RestoreFailed(Exception):
    """psql or pg_dump failed; the message has what it printed."""


def create(
    server: PostgresServer, database: str, installation: AirflowInstallation, environment: Mapping[str, str]
) -> None:
    """Makes a database with Airflow's tables in it, owned as on Amazon MWAA (metadata_roles.py).

    `airflow db migrate` always makes the same of an empty database, so what it made is loaded the next time.

    Args:
        environment: the variables of an Airflow of that version.

    Raises:
        local.installations.airflow_installation.AirflowCommandFailed: the migrations failed.
        RestoreFailed: what was kept could not be loaded.
    """
    kept = airflow_installation.INSTALLATIONS / f"{installation.version}-{_fingerprint(installation)}.sql"
    metadata_roles.create_database(server, database)
    if kept.is_file():
        _load(server, database, kept)
        return
    installation.migrate_database(
        {**environment, installation.connection_variable: server.url(database, metadata_roles.OWNER)}
    )
    partial = kept.with_suffix(f".{os.getpid()}")
    with partial.open("wb") as output:
        _run(server, database, "pg_dump", "--no-owner", "--no-privileges", stdout=output.fileno())
    partial.replace(kept)


def _load(server: PostgresServer, database: str, kept: Path) -> None:
    """Loads what a newer server's pg_dump wrote, also into an older server, which does not have all of its settings."""
    lines = kept.read_text(encoding="utf-8").splitlines(keepends=True)
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.writelines(line for line in lines if not line.startswith(_NEWER_SETTINGS))
        file.flush()
        run_sql_file(server, database, Path(file.name))


def run_sql_file(server: PostgresServer, database: str, file: Path) -> None:
    """Runs a file of SQL as the tables' owner, in one transaction.

    Raises:
        RestoreFailed: a statement failed.
    """
    _run(
        server, database, "psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1",
        f"--file={file}", stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _run(server: PostgresServer, database: str, program: str, *arguments: str, stdout: int) -> None:
    done = subprocess.run(
        [str(server.program(program)), *arguments, server.dsn(database, metadata_roles.OWNER)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
    )
    if done.returncode != 0:
        raise RestoreFailed(f"{program} failed for the database {database}: {done.stderr.strip()}")


def _fingerprint(installation: AirflowInstallation) -> str:
    return hashlib.sha256(airflow_installation.lock_file(installation.version).read_bytes()).hexdigest()[:12]
