"""Databases as on Amazon RDS: the role of Airflow owns its database and everything in it, and is no superuser."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from cryptography.fernet import Fernet

from local.installations import airflow_installation, postgres_11
from local.installations.postgres import PostgresServer
from local.mwaa.metadata_database import MetadataDatabase
from sources.deployment import Deployment

OWNER = "airflow_owner"

_GIVE_TO_OWNER = """
    do $$ declare r record; begin
      for r in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' loop
        execute format('alter table public.%I owner to airflow_owner', r.relname); end loop; end $$
"""


@pytest.fixture(scope="session")
def server_11() -> Iterator[PostgresServer]:
    """The oldest server that a source may have; ``public`` belongs to the administrator there."""
    with (
        tempfile.TemporaryDirectory(prefix="postgres-11-") as directory,
        PostgresServer(Path(directory) / "data", programs=postgres_11.server_programs()) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def empty_airflow(
    server: PostgresServer, homes: Path, request: pytest.FixtureRequest
) -> Callable[[str, str], Deployment]:
    """A database at a version's head on the newest server or "11", made once for each; nobody changes it."""
    made: dict[tuple[str, str], Deployment] = {}

    def make(version: str, on: str) -> Deployment:
        if (version, on) not in made:
            here = request.getfixturevalue("server_11") if on == "11" else server
            database = MetadataDatabase(here, f"empty_{version}")
            installation = airflow_installation.install(version)
            key = Fernet.generate_key().decode()
            deployment = Deployment(installation, here, database.name, homes / version, key)
            database.create(installation, deployment.environment())
            if not deployment.rows("select from pg_roles where rolname = %s", (OWNER,)):
                deployment.execute(f"create role {OWNER} login nosuperuser")
            deployment.execute(_GIVE_TO_OWNER)
            if on != "11":
                # As in a new database of PostgreSQL 15 and later, public is whose the database is.
                deployment.execute("alter schema public owner to pg_database_owner")
            made[version, on] = deployment.having(user=OWNER)
        return made[version, on]

    return make


@pytest.fixture
def odd(empty_airflow: Callable[[str, str], Deployment]) -> Iterator[Callable[..., Deployment]]:
    """Makes a deployment of a version whose database the given files of this folder have changed."""
    made: list[Deployment] = []
    numbers = itertools.count(1)

    def make(version: str, *files: str, encoding: str = "UTF8", server: str = "newest", **options: str) -> Deployment:
        like = empty_airflow(version, server)
        database = f"odd_{next(numbers)}"
        if encoding == "UTF8":
            like.server.create_database(database, template=like.database)
        else:
            create_in_encoding(like, database, encoding)
        deployment = like.having(database=database, options=options)
        made.append(deployment)
        deployment.execute(f"alter database {database} owner to {OWNER}")
        for file in files:
            run_file(deployment, file)
        return deployment

    yield make
    for deployment in made:
        deployment.server.drop_database(deployment.database)


def create_in_encoding(like: Deployment, database: str, encoding: str) -> None:
    """A template's encoding cannot be changed, so its tables are dumped and restored."""
    with closing(psycopg2.connect(like.server.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            f"create database {database} encoding '{encoding}' locale_provider libc lc_collate 'C' lc_ctype 'C' "
            "template template0"
        )
    dump = subprocess.run([like.server.program("pg_dump"), like.dsn], stdout=subprocess.PIPE, check=True).stdout
    psql = [str(like.server.program("psql")), "--quiet", "--no-psqlrc", like.server.dsn(database)]
    subprocess.run(psql, input=dump, stdout=subprocess.DEVNULL, check=True)


def run_file(deployment: Deployment, name: str) -> None:
    """As a superuser; ``:database`` is the database's name."""
    statements = (Path(__file__).parent / f"{name}.sql").read_text().replace(":database", deployment.database)
    with (
        closing(psycopg2.connect(deployment.dsn, client_encoding="UTF8")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statements)
