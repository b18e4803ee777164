"""Sources in PostgreSQL, SQLite and MariaDB. Where there is no MariaDB, the end of the run says what did not run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.installations import mariadb, mysql_driver
from local.installations.mariadb import MariaDBServer
from local.installations.postgres import PostgresServer
from sources import FERNET_KEY, make_source
from sources.deployment import Deployment
from sources.other_deployment import OtherDeployment, with_rows_of

HAS_MARIADB = mariadb.installed()

collect_ignore = [] if HAS_MARIADB else ["test_mysql.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not HAS_MARIADB:
        terminalreporter.write_line(
            "test_mysql.py did not run: there is no MariaDB (on Debian, `apt-get install mariadb-server`).", yellow=True
        )


@pytest.fixture(scope="session")
def postgres_source(server: PostgresServer, homes: Path) -> Callable[[str], Deployment]:
    """A source of a version whose DAGs have run, in PostgreSQL."""
    made: dict[str, Deployment] = {}

    def make(version: str) -> Deployment:
        if version not in made:
            source = make_source(version, server, homes / f"source-{version}")
            made[version] = Deployment(source.installation, server, source.database, source.home, FERNET_KEY)
        return made[version]

    return make


@pytest.fixture(scope="session")
def sqlite_source(
    postgres_source: Callable[[str], Deployment], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], OtherDeployment]:
    """The same in SQLite."""
    made: dict[str, OtherDeployment] = {}

    def make(version: str) -> OtherDeployment:
        if version not in made:
            folder = tmp_path_factory.mktemp("sqlite")
            made[version] = with_rows_of(postgres_source(version), f"sqlite:///{folder}/airflow.db", folder)
        return made[version]

    return make


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    with MariaDBServer(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_source(
    postgres_source: Callable[[str], Deployment],
    mariadb_server: MariaDBServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], OtherDeployment]:
    """The same in MariaDB."""
    made: dict[str, OtherDeployment] = {}
    numbers = itertools.count(1)

    def make(version: str) -> OtherDeployment:
        if version not in made:
            database = f"airflow_{next(numbers)}"
            mariadb_server.create_database(database)
            folder, driver = tmp_path_factory.mktemp("drivers"), mysql_driver.folder()
            made[version] = with_rows_of(postgres_source(version), mariadb_server.url(database), folder, driver)
        return made[version]

    return make
