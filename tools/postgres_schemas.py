"""Writes the tables of each Airflow release, as that Airflow makes them on PostgreSQL, into the engine's data.

    python -m tools.postgres_schemas

An export from SQLite or MySQL describes its tables with them (dags/mwaa_migrator/other_databases/postgres_schema.py).
Releases between two that are installed here are reached from the older one by 2.11's own migrations.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from mwaa_migrator.artifact.schema_description import describe
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.read_tables import read_tables

from local.installations import airflow_installation, empty_airflow_database, metadata_roles
from local.installations.airflow_installation import AirflowInstallation
from local.installations.folders import ROOT
from local.installations.postgres import PostgresServer

FILE = ROOT / "dags" / "mwaa_migrator" / "other_databases" / "postgres_schemas.json.gz"

#: The Airflow whose migrations lead from 1.10 through every release before 3.
_MIGRATES = "2.11.2"
_RELEASES = """
import json
from airflow.utils.db import _REVISION_HEADS_MAP
print(json.dumps(_REVISION_HEADS_MAP))
"""
#: Not the command, which adds Airflow's default rows to tables of another release when it has migrated them.
_MIGRATE = """
import sys
from airflow import settings
from airflow.utils.db import _get_alembic_config
from alembic import command
settings.configure_orm()
command.upgrade(_get_alembic_config(), sys.argv[1])
"""


class Release(NamedTuple):
    """``airflow_version`` is the first of those that have the revision."""

    airflow_version: str
    revision: str
    tables: dict[str, Table]


def read_release(dsn: str, version: str) -> Release:
    with closing(psycopg2.connect(dsn)) as connection:
        tables = read_tables(connection, "public")
        with connection.cursor() as cursor:
            cursor.execute("select version_num from alembic_version")
            ((revision,),) = cursor.fetchall()
    return Release(version, revision, tables)


def releases(server: PostgresServer, directory: Path) -> Iterator[Release]:
    """Those that are installed here, oldest first, and after each those that follow it before the next."""
    seen: set[str] = set()
    versions = airflow_installation.versions()
    installed = [_made(server, directory, version) for version in versions]
    known = {release.revision for release in installed}
    heads = _heads(server, directory)
    for release, following in zip(installed, [*installed[1:], None], strict=True):
        if release.revision in seen:
            continue
        seen.add(release.revision)
        yield release
        after = _numbers(release.airflow_version)
        before = _numbers(following.airflow_version) if following else after
        between = [
            (version, revision)
            for version, revision in sorted(heads.items(), key=lambda head: _numbers(head[0]))
            if after < _numbers(version) < before and revision not in known
        ]
        for version, revision in between:
            known.add(revision)
            yield _migrated(server, directory, release, version, revision)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _database(version: str) -> str:
    return "airflow_" + version.replace(".", "_")


def _made(server: PostgresServer, directory: Path, version: str) -> Release:
    installation = airflow_installation.install(version)
    database = _database(version)
    environment = installation.environment(directory / version, server.url(database))
    empty_airflow_database.create(server, database, installation, environment)
    return read_release(server.dsn(database), version)


def _heads(server: PostgresServer, directory: Path) -> dict[str, str]:
    installation = airflow_installation.install(_MIGRATES)
    environment = installation.environment(directory / _MIGRATES, server.url(_database(_MIGRATES)))
    return dict(json.loads(_run(installation, environment, "-c", _RELEASES).strip().splitlines()[-1]))


def _run(installation: AirflowInstallation, environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run(
        [str(installation.python), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=180,
    ).stdout


def _migrated(server: PostgresServer, directory: Path, start: Release, version: str, revision: str) -> Release:
    database = _database(version)
    metadata_roles.copy_database(server, _database(start.airflow_version), database)
    installation = airflow_installation.install(_MIGRATES)
    url = server.url(database, metadata_roles.OWNER)
    environment = installation.environment(directory / _MIGRATES, url)
    _run(installation, environment, "-c", _MIGRATE, revision)
    return read_release(server.dsn(database), version)


def content(found: Iterator[Release]) -> bytes:
    """Each definition of a table once, and for each revision which of them it has."""
    definitions: list[dict[str, Any]] = []
    revisions: dict[str, dict[str, Any]] = {}
    for release in found:
        numbers = []
        for definition in describe(release.tables)["tables"]:
            if definition not in definitions:
                definitions.append(definition)
            numbers.append(definitions.index(definition))
        revisions[release.revision] = {"airflow_version": release.airflow_version, "tables": numbers}
        sys.stdout.write(f"{release.airflow_version}: {release.revision}, {len(numbers)} tables\n")
        sys.stdout.flush()
    text = json.dumps({"definitions": definitions, "revisions": revisions}, sort_keys=True, separators=(",", ":"))
    # Without a time, so that the same content is the same bytes.
    return gzip.compress(text.encode(), mtime=0)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="schemas-") as directory,
        PostgresServer(Path(directory) / "data") as server,
    ):
        made = content(releases(server, Path(directory)))
    FILE.write_bytes(made)
    sys.stdout.write(f"{FILE.relative_to(ROOT)}: {len(made)} bytes\n")


if __name__ == "__main__":
    main()
