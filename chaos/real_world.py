"""A world whose environments are real Airflows; a migration takes a minute or two."""

from __future__ import annotations

import time
from contextlib import closing
from typing import ClassVar

import psycopg2

from chaos.watched_airflow import WatchedAirflow
from chaos.world import ACTIVE_DAGS, AIRFLOW_3, IMPORT_VERSION, QUIET, CopiedDatabase, World
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa.environment import Environment
from local.mwaa.metadata_database import MetadataDatabase
from local.rehearsal import application

#: Removes what the scheduler and the triggerer would otherwise change in a source that is as QUIET left it.
SETTLED = """
    delete from trigger;
    delete from dataset_dag_run_queue;
    update dataset set is_orphaned = true
"""
_PARSE_SECONDS = 120.0


class SourceNotParsed(Exception):
    """A source has not parsed its DAG files in time; the message names the DAGs that are missing."""


class RealEnvironment(Environment):
    airflow_type = WatchedAirflow
    database_type = CopiedDatabase


class RealWorld(World):
    environments: ClassVar[type[Environment]] = RealEnvironment
    statements: ClassVar[tuple[str, ...]] = (QUIET, SETTLED)
    targets: ClassVar[tuple[str, ...]] = (IMPORT_VERSION, AIRFLOW_3)
    patience: ClassVar[float] = 1200.0

    @classmethod
    def serve(cls, installation: AirflowInstallation, template: MetadataDatabase, marker: str) -> None:
        """Does nothing: each environment has processes of its own."""

    def deploy(self) -> None:
        """Leaves time-outs as they are: an airflow command takes seconds on a busy machine."""
        application.deploy(self.aws)

    def make_source(self, name: str) -> Environment:
        environment = super().make_source(name)
        with closing(psycopg2.connect(environment.database.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            deadline = time.monotonic() + _PARSE_SECONDS
            while True:
                # The rows that a source begins with have no such time, and of all tables `dag` is written last.
                cursor.execute("select dag_id from dag where is_active and last_parsed_time is not null")
                missing = ACTIVE_DAGS - {dag for (dag,) in cursor.fetchall()}
                if not missing:
                    return environment
                if time.monotonic() > deadline:
                    raise SourceNotParsed(f"{name} has not parsed {sorted(missing)} in {_PARSE_SECONDS:.0f} s")
                time.sleep(0.2)
