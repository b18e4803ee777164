"""Where the engine runs: how it gets to the metadata database, and how Airflow's migrations do.

Nothing else in the engine knows the place. Version, Fernet key and schema are those of the Airflow that this process
imports, wherever that is (``release.py``, ``configuration.py``).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any

from psycopg2 import OperationalError

from mwaa_migrator.errors import DatabaseUnreachable
from mwaa_migrator.postgres.session import SESSION_SETTINGS, execute, ignore_settings_of_role, set_keepalives

#: Shown in pg_stat_activity; an import also finds by it the sessions that a killed one left.
APPLICATION_NAME = "mwaa_migrator"


def session_name(task: str, run_id: str | None) -> str:
    """The name of the session of a task; tries of the same DAG run have the same."""
    digest = [hashlib.sha256(run_id.encode("utf-8")).hexdigest()[:16]] if run_id else []
    return " ".join([APPLICATION_NAME, task, *digest])


class Place(ABC):
    """One for each place that the engine runs in."""

    @property
    @abstractmethod
    def way_in(self) -> str:
        """The name, for results, of the way by which the last connection was made."""

    @abstractmethod
    def open(self) -> Any:
        """A new psycopg2 connection, outside of any pool and as it comes.

        Raises a Refused, or psycopg2's OperationalError if the database does not answer.
        """

    @abstractmethod
    def admit_airflow(self) -> None:
        """Let Airflow's own engine connect in this process, which has not connected yet and runs its migrations."""

    def connect(self, application_name: str = APPLICATION_NAME) -> Any:
        """A new connection with the engine's settings; raises what ``open`` raises, or DatabaseUnreachable."""
        try:
            connection = self.open()
            _prepare(connection, application_name)
            if connection.server_version >= 140000:
                # A killed import's last statement, and with it the lock that keeps the next import out, ends soon.
                execute(connection, "set client_connection_check_interval to '1s'")
            connection.commit()
        except OperationalError as error:
            message = "The metadata database does not answer: {}. Check Airflow's sql_alchemy_conn and the network."
            raise DatabaseUnreachable(message.format(str(error).strip().splitlines()[0])) from error
        return connection

    def connection_parameters(self) -> dict[str, str]:
        """psycopg2's parameters with which a process without Airflow connects as this one does.

        They are taken from a new connection, because a token in them may live for minutes only. They hold the password,
        so they travel through a pipe, never as arguments or in the environment.
        """
        connection = self.connect()
        try:
            parameters = dict(connection.get_dsn_parameters())
            parameters.pop("options", None)
            if connection.info.password:
                parameters["password"] = connection.info.password
            return parameters
        finally:
            connection.close()


def connect_with(parameters: dict[str, str], application_name: str) -> Any:
    """A connection by what ``connection_parameters`` returned in another process."""
    import psycopg2

    connection = psycopg2.connect(**parameters)
    _prepare(connection, application_name)
    connection.commit()
    return connection


def _prepare(connection: Any, application_name: str) -> None:
    set_keepalives(connection)
    # psycopg2 decodes by the encoding that it knows, and does not notice a statement that sets another.
    connection.set_client_encoding("UTF8")
    ignore_settings_of_role(connection)
    execute(connection, SESSION_SETTINGS)
    execute(connection, "select set_config('application_name', %s, false)", (application_name,))
