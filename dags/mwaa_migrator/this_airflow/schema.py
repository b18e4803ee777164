"""Where Airflow's tables are in the metadata database, and at which revision.

Airflow can be told to keep its tables in a schema of their own, by ``sql_alchemy_schema`` or by the role's search_path.
Alembic follows the search_path alone, so ``alembic_version`` can be in one schema and the rest in another. An export
that looked only beside ``alembic_version`` would then find nothing, and say that all of it was there.
"""

from __future__ import annotations

from typing import Any, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.revision_tables import revision_tables
from mwaa_migrator.airflow_schema.tables import EVERY_AIRFLOWS_TABLES, REVISION_TABLE, reason_not_exported
from mwaa_migrator.errors import AirflowNotSupported, AirflowTablesMissing, MissingRight, RevisionUnclear
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.session import fetch_all, fetch_value
from mwaa_migrator.this_airflow.configuration import configured_schema
from mwaa_migrator.this_airflow.migrations import applied_revisions, tables_in_migrations

#: Ordinary and partitioned tables, and the views that some put in their place.
_TABLES_ELSEWHERE = """
    select c.relname::text, n.nspname::text, pg_table_is_visible(c.oid)
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> %s
       and n.nspname not in ('pg_catalog', 'information_schema')
     order by 2, 1
"""
_VIEWS_OF_SCHEMA = """
    select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = %s and c.relkind in ('v', 'm', 'f')
"""
_TABLES_OF_SCHEMA = """
    select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = %s and c.relkind in ('r', 'p')
"""

_REMEDY = (
    "Airflow's tables must be together in one schema, under Airflow's names, and that schema first on the role's "
    "search_path: move them with ALTER TABLE ... SET SCHEMA, and set the path with ALTER ROLE ... SET search_path. "
    "Nothing was read or written."
)


def airflow_schema(connection: Any) -> str:
    """The schema that holds ``alembic_version`` and the tables that every Airflow has.

    Raises AirflowNotSupported if there is no ``alembic_version``, and AirflowTablesMissing if these tables are not
    beside it, or if Airflow would take them from another schema.
    """
    query = """
        select n.nspname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.oid = to_regclass('alembic_version')
    """
    schema = fetch_value(connection, query)
    if schema is None:
        raise AirflowNotSupported(
            "The metadata database has no table alembic_version. Initialise it with Airflow first (airflow db migrate)."
        )
    _require(connection, schema, EVERY_AIRFLOWS_TABLES)
    configured = configured_schema()
    if configured and configured != schema:
        message = "{} lies in {}, and Airflow takes its tables from {} (sql_alchemy_schema). {}"
        raise AirflowTablesMissing(message.format(REVISION_TABLE, schema, configured, _REMEDY))
    return str(schema)


def require_all_tables(connection: Any, schema: str, revision: str) -> None:
    """Raises AirflowTablesMissing unless ``schema`` has all the tables with history that belong to ``revision``."""
    tables = revision_tables(revision, applied_revisions(revision))
    may_be_there = (tables_in_migrations() | tables.there) - tables.gone
    if not configured_schema():
        # Airflow takes each table from where the search_path finds it.
        split = [
            (name, other)
            for name, other, is_visible in fetch_all(connection, _TABLES_ELSEWHERE, (schema,))
            if is_visible and name in may_be_there and _holds_history(name)
        ]
        if split:
            places = [f"{_some(names)} in {other}" for other, names in _by_schema(split)]
            message = "{} lies in {}, and by its search_path Airflow finds {}. {}"
            raise AirflowTablesMissing(message.format(REVISION_TABLE, schema, "; ".join(places), _REMEDY))
    views = {name for (name,) in fetch_all(connection, _VIEWS_OF_SCHEMA, (schema,))}
    in_place_of_tables = {name for name in views & may_be_there if _holds_history(name)} | (views & tables.there)
    _require(connection, schema, sorted(tables.with_history | in_place_of_tables))


def _require(connection: Any, schema: str, names: Sequence[str]) -> None:
    """Raises AirflowTablesMissing, with the places of those that are elsewhere, unless ``schema`` has these tables."""
    here = {name for (name,) in fetch_all(connection, _TABLES_OF_SCHEMA, (schema,))}
    missing = [name for name in names if name not in here]
    if not missing:
        return
    others = fetch_all(connection, _TABLES_ELSEWHERE, (schema,))
    elsewhere = [(table, other) for table in missing for name, other, _ in others if name == table]
    places = [f"{_some(tables)} in {other}" for other, tables in _by_schema(elsewhere)]
    views = {name for (name,) in fetch_all(connection, _VIEWS_OF_SCHEMA, (schema,))} & set(missing)
    if views:
        places.append(f"{_some(sorted(views))} is no table there but a view or a foreign table")
    in_capitals = sorted(name for name in here if name != name.lower() and name.lower() in missing)
    places += [f'{name.lower()} is called "{name}" there' for name in in_capitals]
    nowhere = set(missing) - {name for name, _ in elsewhere} - views - {name.lower() for name in in_capitals}
    if nowhere:
        places.append(f"{_some(sorted(nowhere))} in no schema that this user sees")
    message = "{} lies in {}, and {}. {}"
    raise AirflowTablesMissing(message.format(REVISION_TABLE, schema, "; ".join(places), _REMEDY))


def require_visible_rows(connection: Any, schema: str) -> None:
    """Raises MissingRight if policies can hide rows of Airflow's tables from this user."""
    query = """
        select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = %s and c.relrowsecurity and row_security_active(c.oid) order by 1
    """
    airflows = tables_in_migrations()
    hidden = [name for (name,) in fetch_all(connection, query, (schema,)) if name in airflows]
    if hidden:
        tables = ", ".join(f'"{name}"' for name in hidden)
        names = [qualified(schema, name).as_string(connection) for name in hidden]
        statements = " ".join(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;" for name in names)
        raise MissingRight(
            f"A row-level security policy for table {tables} may hide rows from this user, so the rows cannot be "
            f"counted or copied. Free the tables' owner of it ({statements}), or give the user BYPASSRLS. Nothing was "
            "read or written."
        )


def _holds_history(table: str) -> bool:
    return reason_not_exported(table) is None


def _by_schema(places: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    schemas: dict[str, list[str]] = {}
    for name, schema in places:
        schemas.setdefault(schema, []).append(name)
    return sorted(schemas.items())


def _some(names: list[str]) -> str:
    """Up to five of the names; a message is not a listing."""
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


def read_revision(connection: Any, schema: str) -> str:
    """The database's Alembic revision; raises RevisionUnclear unless ``alembic_version`` has exactly one."""
    query = sql.SQL("select version_num from {} order by 1").format(qualified(schema, REVISION_TABLE))
    revisions = [str(revision) for (revision,) in fetch_all(connection, query)]
    if len(revisions) == 1:
        return revisions[0]
    if not revisions:
        raise RevisionUnclear(
            f"{schema}.{REVISION_TABLE} is empty, so nobody knows at which revision the tables are: an upgrade broke "
            "off, or somebody emptied it. Insert the revision of the Airflow that made them (airflow db "
            "check-migrations names it)."
        )
    raise RevisionUnclear(
        f"{schema}.{REVISION_TABLE} has {len(revisions)} revisions ({', '.join(revisions)}) instead of one, as after "
        "two upgrades at once. Delete all but the one that the tables are at."
    )
