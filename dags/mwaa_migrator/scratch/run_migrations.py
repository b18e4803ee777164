"""A process that runs Airflow's migrations in the scratch schema that its argument names; ``upgrade.py`` starts it.

Every connection of this process has the scratch schema, and nothing else, on its search_path, so that no migration can
reach the target's own tables.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

from psycopg2 import Error
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE, TRANSACTION_STATUS_INERROR, cursor

from mwaa_migrator.child_process import exit_with_parent
from mwaa_migrator.postgres.session import ignore_settings_of_role, keep_alive, set_keepalives
from mwaa_migrator.this_airflow.database import this_place
from mwaa_migrator.waiting import PATIENCE

#: Begins the line of output that says why the migrations failed.
ERROR_MARK = "mwaa_migrator: the migrations failed: "

#: Rows that Airflow 3's migrations update at a time. Each time they look for the next ones from the table's beginning
#: on, past all that they have done, so with Airflow's own 10,000 the time grows with the square of the rows.
_BATCH_SIZE = 200_000

_BUSY = (TRANSACTION_STATUS_ACTIVE, TRANSACTION_STATUS_INERROR)

#: The connections, each with the lock that its statements take.
_guards: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()


class GuardedCursor(cursor):  # type: ignore[misc]
    """Lets no statement of Airflow's run between the two of ``keep_alive``, whose rollback would undo it."""

    def execute(self, query: Any, vars: Any = None) -> None:
        with _guards[self.connection]:
            super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        with _guards[self.connection]:
            super().executemany(query, vars_list)


def keep_alive_connections(seconds: float) -> None:
    """From here on, each connection that waits gets a statement every so many seconds, from a thread.

    One holds Airflow's lock and says nothing while another migrates; a proxy would disconnect it (``keep_alive``).
    """

    def work() -> None:
        while True:
            time.sleep(seconds)
            for connection, guard in list(_guards.items()):
                # A statement that runs keeps its connection alive.
                if guard.acquire(blocking=False):
                    try:
                        if not connection.closed and connection.get_transaction_status() not in _BUSY:
                            with suppress(Error):
                                keep_alive(connection)
                    finally:
                        guard.release()

    threading.Thread(target=work, daemon=True).start()


def confine_connections(scratch: str) -> None:
    """From here on, every new connection of any SQLAlchemy engine sees the scratch schema only."""
    from psycopg2 import sql
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def set_search_path(dbapi_connection: Any, _record: Any) -> None:
        ignore_settings_of_role(dbapi_connection)
        with dbapi_connection.cursor() as cursor:
            cursor.execute(sql.SQL("set search_path to {}").format(sql.Identifier(scratch)))
            cursor.execute("select set_config('application_name', left(%s, 63), false)", (scratch,))
            # The server's default is meant for indexes on tables in use.
            cursor.execute("set maintenance_work_mem to '256MB'")
        # A rollback undoes a setting of its transaction, and the pool begins every connection with one.
        dbapi_connection.commit()
        set_keepalives(dbapi_connection)
        _guards[dbapi_connection] = threading.RLock()
        dbapi_connection.cursor_factory = GuardedCursor

    event.listen(Engine, "connect", set_search_path)


class NoManagers:
    """In the place of Airflow 3's ``RunDBManager``, which has providers migrate tables of their own.

    FAB's are not in an artifact, and to look for providers and to import FAB takes 33 MB (3.2.1).
    """

    def upgradedb(self, *_: Any, **__: Any) -> None:
        """Nothing is theirs in the scratch schema."""


def print_error(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """The traceback as ever, and then the error itself on one line, marked for the parent."""
    sys.__excepthook__(kind, error, traceback)
    first_lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("[")]
    sys.stderr.write("\n{}{}: {}\n".format(ERROR_MARK, kind.__name__, " ".join(first_lines[:2])))


def main() -> None:
    exit_with_parent()
    (scratch,) = sys.argv[1:]
    # Example DAGs, like FAB and plugins, are not wanted here, and parsing the user's DAGs would run their code.
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    # With this option Airflow's models name their schema, and a migration that uses them would write to the target's
    # own tables, whatever the search_path is.
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA"] = ""
    os.environ["AIRFLOW__DATABASE__MIGRATION_BATCH_SIZE"] = str(_BATCH_SIZE)
    sys.excepthook = print_error
    this_place().admit_airflow()
    confine_connections(scratch)
    keep_alive_connections(PATIENCE)
    from airflow import settings
    from airflow.models.base import Base
    from airflow.utils import db

    if settings.engine is None:
        settings.configure_orm()
    with settings.engine.connect() as connection:
        found = connection.exec_driver_sql("select current_schema()").scalar()
        default = settings.engine.dialect.default_schema_name
    if Base.metadata.schema:
        sys.exit(f"The migrations would have run in schema {Base.metadata.schema}, which Airflow's models name.")
    if (found, default) != (scratch, scratch):
        sys.exit(f"The migrations would have run in schema {found} ({default}), not in {scratch}.")
    if hasattr(db, "RunDBManager"):
        db.RunDBManager = NoManagers
    options = {}
    if "reserialize_dags" in inspect.signature(db.upgradedb).parameters:
        options["reserialize_dags"] = False
    db.upgradedb(**options)


if __name__ == "__main__":
    main()
