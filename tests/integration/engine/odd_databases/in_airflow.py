"""Runs single migrations of an Airflow, in it, on rows that a rule finds or does not find; writes what became of them.

Each case is tried in a transaction that is rolled back, on the database as the migrations before it have left it.
"""

import json
import os
import pathlib
import sys

from airflow import settings
from airflow.utils.db import _get_alembic_config
from alembic import command
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory


def main() -> None:
    config = _get_alembic_config()
    script = ScriptDirectory.from_config(config)
    outcomes = []
    for case in json.loads(os.environ["CASES"]):
        migration = script.get_revision(case["revision"])
        command.upgrade(config, migration.down_revision)
        # Driver-level statements: SQLAlchemy would take a colon for a parameter.
        with settings.engine.connect() as connection:
            transaction = connection.begin()
            connection.exec_driver_sql("set session_replication_role = replica")
            connection.exec_driver_sql(case["rows"])
            found = [connection.exec_driver_sql(query).scalar() for query in case["queries"]]
            with EnvironmentContext(config, script) as environment:
                environment.configure(connection=connection)
                with Operations.context(environment.get_context()):
                    try:
                        migration.module.upgrade()
                        error = None
                    except Exception as raised:  # noqa: BLE001 - migrations raise anything
                        error = type(getattr(raised, "orig", None) or raised).__name__
            transaction.rollback()
            outcomes.append([found, error])
    pathlib.Path(sys.argv[1]).write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main()
