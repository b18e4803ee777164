"""The metadata database of this Airflow: a session in it, and where Airflow's tables are."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator

from psycopg2 import sql

from mwaa_migrator.postgres.checksums import fastest_algorithm
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import named_database_errors
from mwaa_migrator.this_airflow.airflows_engine import AirflowsEngine
from mwaa_migrator.this_airflow.place import APPLICATION_NAME, Place
from mwaa_migrator.this_airflow.release import airflow_version
from mwaa_migrator.this_airflow.schema import (
    airflow_schema,
    read_revision,
    require_all_tables,
    require_visible_rows,
)
from mwaa_migrator.this_airflow.worker_environment import WorkerEnvironment, is_airflow_kept_out


@lru_cache(maxsize=None)
def this_place() -> Place:
    """Where this process runs. It must be asked before Airflow is imported, which a task's environment does not let."""
    return WorkerEnvironment() if is_airflow_kept_out(os.environ) else AirflowsEngine()


@dataclass(frozen=True)
class MetadataDatabase:
    """A session in the metadata database: the source of an export, or the target of an import.

    ``schema`` is the one that holds Airflow's tables; ``revision`` is its Alembic revision.
    """

    place: Place
    connection: Any
    airflow_version: str
    schema: str
    revision: str

    def table(self, name: str) -> sql.Identifier:
        """One of Airflow's tables in SQL."""
        return qualified(self.schema, name)

    @property
    def checksum_algorithm(self) -> str:
        return fastest_algorithm(self.connection)


@contextmanager
def metadata_database(application_name: str = APPLICATION_NAME) -> Iterator[MetadataDatabase]:
    """Open a session for the length of the block; errors of psycopg2 in it get the names of ``named_database_errors``.

    Raises what ``airflow_version``, ``Place.connect``, ``airflow_schema``, ``read_revision``, ``require_all_tables``
    and ``require_visible_rows`` raise.
    """
    place = this_place()
    version = airflow_version()
    connection = place.connect(application_name)
    try:
        with named_database_errors():
            schema = airflow_schema(connection)
            revision = read_revision(connection, schema)
            require_all_tables(connection, schema, revision)
            require_visible_rows(connection, schema)
            connection.rollback()
            yield MetadataDatabase(place, connection, version, schema, revision)
    finally:
        connection.close()
