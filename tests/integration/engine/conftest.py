from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from cryptography.fernet import Fernet

from local.installations import airflow_installation, empty_airflow_database, metadata_roles
from local.installations.postgres import PostgresServer
from sources import rows_by_sql
from sources.deployment import Deployment

SOURCE = "2.10.3"
OLD_SOURCE = "1.10.12"
TARGET = "2.11.2"

#: Values that a dump or an encryption can get wrong; the variable "none" has the value NULL.
SECRETS = {
    "plain": "value",
    "empty": "",
    "lines": 'a\n\\.\nb\t\\N\r"quoted"',
    "unicode": "Grüße, 世界 🎈",
    "looks_encrypted": "gAAAAABo",
    "long": "long " * 20_000,
}


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    # Not below pytest's directory: another pytest that starts meanwhile takes away the rights that the server's user
    # needs there.
    with (
        tempfile.TemporaryDirectory(prefix="engine-tests-") as directory,
        PostgresServer(Path(directory) / "data") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def new_deployment(server: PostgresServer, homes: Path) -> Callable[..., Deployment]:
    """Makes a deployment of a version on a new database, a copy of another deployment's where one is given."""
    numbers = itertools.count(1)

    def make(version: str, like: Deployment | None = None) -> Deployment:
        database = f"airflow_{next(numbers)}"
        if like is not None:
            metadata_roles.copy_database(server, like.database, database)
            return like.having(database=database)
        deployment = Deployment(
            airflow_installation.install(version),
            server,
            database,
            homes / version,
            Fernet.generate_key().decode(),
            metadata_roles.USER,
        )
        empty_airflow_database.create(server, database, deployment.installation, deployment.environment())
        return deployment

    return make


@pytest.fixture(scope="session")
def filled_source(new_deployment: Callable[..., Deployment]) -> Deployment:
    """2.10.3 with rows in every table that an export takes. Nobody changes it; take `source` for that."""
    deployment = new_deployment(SOURCE)
    fill(deployment, "source", dags=10, runs=20)
    add_secrets(deployment)
    return deployment


@pytest.fixture(scope="session")
def old_source(new_deployment: Callable[..., Deployment]) -> Deployment:
    deployment = new_deployment(OLD_SOURCE)
    fill(deployment, "old", dags=4, runs=10)
    return deployment


@pytest.fixture(scope="session")
def empty_target(new_deployment: Callable[..., Deployment]) -> Deployment:
    return new_deployment(TARGET)


@pytest.fixture(scope="session")
def used_target(new_deployment: Callable[..., Deployment], empty_target: Deployment) -> Deployment:
    """A target with rows of its own, so that no surrogate key of the source is free there."""
    deployment = new_deployment(TARGET, like=empty_target)
    fill(deployment, "target", dags=3, runs=15)
    return deployment


@pytest.fixture(scope="session")
def artifact(filled_source: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole of `filled_source`; nobody changes it."""
    directory = tmp_path_factory.mktemp("artifacts")
    filled_source.succeed("export", "--to", str(directory), "--id", "whole")
    return directory / "whole"


@pytest.fixture(scope="session")
def old_artifact(old_source: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artifacts")
    old_source.succeed("export", "--to", str(directory), "--id", "old")
    return directory / "old"


@pytest.fixture
def copy_of(new_deployment: Callable[..., Deployment]) -> Iterator[Callable[[Deployment], Deployment]]:
    """Makes deployments for one test."""
    made: list[Deployment] = []

    def copy(deployment: Deployment) -> Deployment:
        made.append(new_deployment(deployment.installation.version, like=deployment))
        return made[-1]

    yield copy
    for deployment in made:
        deployment.server.drop_database(deployment.database)


@pytest.fixture
def source(filled_source: Deployment, copy_of: Callable[[Deployment], Deployment]) -> Deployment:
    return copy_of(filled_source)


@pytest.fixture
def target(empty_target: Deployment, copy_of: Callable[[Deployment], Deployment]) -> Deployment:
    return copy_of(empty_target)


@pytest.fixture
def broken(artifact: Path, tmp_path: Path) -> Path:
    """A copy of the artifact, to be broken."""
    return Path(shutil.copytree(artifact, tmp_path / "broken"))


def fill(deployment: Deployment, world: str, dags: int, runs: int) -> None:
    """See sources/rows_2_10.sql."""
    statements = rows_by_sql.statements(deployment.installation.release)
    deployment.execute(statements, {"world": world, "dags": dags, "runs": runs})


def add_secrets(deployment: Deployment) -> None:
    """A variable and a connection for each of SECRETS, encrypted as Airflow does it, and the same in clear."""
    fernet = Fernet(deployment.fernet_key)
    with closing(psycopg2.connect(deployment.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("insert into variable (key, val, description, is_encrypted) values ('none', null, '', false)")
        for name, value in SECRETS.items():
            token = fernet.encrypt(value.encode()).decode()
            insert = "insert into variable (key, val, description, is_encrypted) values (%s, %s, %s, %s)"
            cursor.execute(insert, (name, token, "line\nbreak", True))
            cursor.execute(insert, (name + "_in_clear", value, None, False))
            cursor.execute(
                "insert into connection (conn_id, conn_type, host, login, password, port, extra, is_encrypted, "
                "is_extra_encrypted) values (%s, 'http', 'host', %s, %s, 80, %s, %s, %s)",
                (name, value[:100], token if value else "", token if value else "", bool(value), bool(value)),
            )
