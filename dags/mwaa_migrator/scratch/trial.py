"""Tries in the target what an import does there, and takes it back: what refuses it is known before anything begins."""

from __future__ import annotations

from typing import Any, List

from psycopg2 import Error, OperationalError, sql
from psycopg2.errors import ReadOnlySqlTransaction

from mwaa_migrator.errors import DatabaseNotWritable
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, search_path, with_reason
from mwaa_migrator.scratch.scratch_schema import create_schema

#: No scratch schema's name: those have an underscore and an artifact's id there.
_SCHEMA = "mwaa_migrator trial"

#: As a restore, a migration and the dropping of a scratch schema do it.
_STATEMENTS = (
    "create table tried (id integer, name character varying(10))",
    "insert into tried values (1, 'one')",
    "alter table tried add column more text",
    "create unique index tried_id on tried (id)",
    "alter table tried rename to tried_again",
    "drop table tried_again",
)

_EVENT_TRIGGERS = "select quote_ident(evtname) from pg_catalog.pg_event_trigger where evtenabled <> 'D' order by 1"


def try_scratch_schema(connection: Any) -> None:
    """Make a schema with a table, change and drop them, and roll all of it back.

    Raises MissingRight if the database user may not create a schema, and DatabaseNotWritable if it is read-only or an
    event trigger of somebody's ends one of the statements.
    """
    try:
        create_schema(connection, _SCHEMA)
        with search_path(connection, _SCHEMA):
            for statement in _STATEMENTS:
                execute(connection, statement)
        execute(connection, sql.SQL("drop schema {}").format(sql.Identifier(_SCHEMA)))
    except ReadOnlySqlTransaction as error:
        connection.rollback()
        if fetch_value(connection, "select pg_is_in_recovery()"):
            raise
        raise DatabaseNotWritable(
            "The target's database is read-only for this user (default_transaction_read_only is on), so Airflow cannot "
            "work there either. Find out why it was set, undo that with ALTER ROLE or ALTER DATABASE ... RESET "
            "default_transaction_read_only, and try again. Nothing was written."
        ) from error
    except OperationalError:
        raise
    except Error as error:
        connection.rollback()
        triggers: List[str] = [name for (name,) in fetch_all(connection, _EVENT_TRIGGERS)]
        if not triggers:
            raise
        statements = " ".join(f"ALTER EVENT TRIGGER {name} DISABLE;" for name in triggers)
        message = (
            "The target's database has event triggers ({}), and they do not let an import make tables: {{}}. Disable "
            "them for the migration, and try again: {} Nothing was written."
        )
        raise DatabaseNotWritable(with_reason(message.format(", ".join(triggers), statements), error)) from error
    finally:
        connection.rollback()
