"""The metadata database by Airflow's own engine: in a task up to Airflow 2.x, and wherever else Airflow may use it.

Amazon MWAA's credentials can be short-lived tokens that only the engine knows how to renew.
"""

from __future__ import annotations

import os
from typing import Any

from mwaa_migrator.errors import DatabaseNotSupported, DatabaseUnreachable
from mwaa_migrator.this_airflow.place import Place

#: The variable by which a process that is no task says how it came here (``in_scheduler``).
_WAY_IN = "MWAA_MIGRATOR_WAY_IN"


class AirflowsEngine(Place):
    @property
    def way_in(self) -> str:
        return os.environ.get(_WAY_IN, "airflow")

    def open(self) -> Any:
        """Raises DatabaseNotSupported if the database is not PostgreSQL."""
        from airflow import settings
        from sqlalchemy.exc import SQLAlchemyError

        if settings.engine is None:
            settings.configure_orm()
        engine = settings.engine
        if engine.dialect.name != "postgresql":
            raise DatabaseNotSupported(
                f"The metadata database is {engine.dialect.name}, and only PostgreSQL can be imported into. Give the "
                "target's Airflow a PostgreSQL database."
            )
        try:
            # Through the engine, whose events renew short-lived tokens, but from a pool of its own: a connection of the
            # task's pool may be old, and our settings and transactions must never reach it.
            pooled = engine.pool.recreate().connect()
        except SQLAlchemyError as error:
            message = "The metadata database does not answer: {}. Check Airflow's sql_alchemy_conn and the network."
            raise DatabaseUnreachable(message.format(str(error).strip().splitlines()[0])) from error
        raw = getattr(pooled, "driver_connection", None) or pooled.connection
        pooled.detach()
        raw.rollback()
        return raw

    def admit_airflow(self) -> None:
        """It needs nobody for that."""
