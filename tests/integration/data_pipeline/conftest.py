"""A local AWS, a PostgreSQL, and an Airflow of each version that DAGs are written for."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline import command, reading
from data_pipeline.options import Options
from data_pipeline.translated import Translation
from data_pipeline.translation import translate
from local.installations.postgres import PostgresServer
from pipeline_runs.airflow_runs import Deployment, deployed
from pipeline_runs.local_services import Aws, started_aws
from pipeline_runs.warehouse import DATABASE, run_statement

DEFINITIONS = Path(__file__).parents[2] / "data_pipeline"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="data-pipeline-") as directory,
        PostgresServer(Path(directory) / "data") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def warehouse(postgres: PostgresServer) -> str:
    """The DSN of the database that stands for Redshift and for the shop."""
    postgres.create_database(DATABASE)
    return postgres.dsn(DATABASE)


@pytest.fixture(scope="session")
def aws_of_session(tmp_path_factory: pytest.TempPathFactory, warehouse: str) -> Iterator[Aws]:
    with started_aws(tmp_path_factory.mktemp("aws"), warehouse) as aws:
        yield aws


@pytest.fixture
def aws(aws_of_session: Aws) -> Iterator[Aws]:
    """The local AWS with no calls in its record yet."""
    aws_of_session.calls.clear()
    yield aws_of_session
    aws_of_session.emr.failing.clear()


Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(warehouse: str) -> Query:
    """Runs a statement on the warehouse, and gives its rows."""

    return functools.partial(run_statement, warehouse)


@pytest.fixture(scope="session", params=["2.11.2", "3.2.1"])
def airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Deployment]:
    with deployed(request.param, tmp_path_factory.mktemp(f"airflow_{request.param}"), postgres) as found:
        yield found


def translated_into(folder: Path, options: Options, *files: str) -> list[Translation]:
    """Translates definitions into a DAGs folder."""
    found = [translate(item, options) for item in reading.read([DEFINITIONS / file for file in files])]
    command.write([command.Outcome(item.folder, item) for item in found], folder, "")
    return found
