"""A process that runs Airflow's migrations in the scratch schema that its argument names; ``upgrade.py`` starts it.

Every connection of this process has the scratch schema, and nothing else, on its search_path, so that no migration can
reach the target's own tables.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

from mwaa_migrator.child_process import exit_with_parent


def confine_connections(scratch: str) -> None:
    """From here on, every new connection of any SQLAlchemy engine sees the scratch schema only."""
    from psycopg2 import sql
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def set_search_path(dbapi_connection: Any, _record: Any) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(sql.SQL("set search_path to {}").format(sql.Identifier(scratch)))
            cursor.execute("select set_config('application_name', left(%s, 63), false)", (scratch,))
            # MWAA's roles may have time-outs that are meant for web requests.
            cursor.execute("set statement_timeout to 0")
        # A rollback undoes a setting of its transaction, and the pool begins every connection with one.
        dbapi_connection.commit()

    event.listen(Engine, "connect", set_search_path)


def main() -> None:
    exit_with_parent()
    (scratch,) = sys.argv[1:]
    # Example DAGs, like FAB and plugins, are not wanted here, and parsing the user's DAGs would run their code.
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    confine_connections(scratch)
    from airflow import settings
    from airflow.utils import db

    if settings.engine is None:
        settings.configure_orm()
    with settings.engine.connect() as connection:
        found = connection.exec_driver_sql("select current_schema()").scalar()
        default = settings.engine.dialect.default_schema_name
    if (found, default) != (scratch, scratch):
        sys.exit(f"The migrations would have run in schema {found} ({default}), not in {scratch}.")
    options = {}
    if "reserialize_dags" in inspect.signature(db.upgradedb).parameters:
        options["reserialize_dags"] = False
    db.upgradedb(**options)


if __name__ == "__main__":
    main()
