"""The metadata database of the Airflow that we run in: its connection, its version, its Fernet key.

The connection is taken from Airflow's own engine, because MWAA's credentials can be short-lived tokens that only the
engine knows how to renew.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from typing import Any, Iterable, Iterator

from mwaa_migrator.errors import AirflowNotSupported, DatabaseNotSupported, DatabaseUnreachable
from mwaa_migrator.postgres.session import SESSION_SETTINGS, execute, fetch_value

OLDEST = (1, 10, 12)
#: On Airflow 3 tasks have no access to the metadata database and MWAA upgrades in place.
FIRST_TOO_NEW = (3, 0, 0)

#: Shown in pg_stat_activity, and how an import finds the sessions that a killed one left.
APPLICATION_NAME = "mwaa_migrator"


def version_tuple(version: str) -> tuple[int, ...]:
    """``2.10.3`` to ``(2, 10, 3)``; what follows the numbers (``rc1``, ``+composer``) does not count."""
    numbers = []
    for piece in version.split("+")[0].split(".")[:3]:
        digits = ""
        for character in piece:
            if not character.isdigit():
                break
            digits += character
        numbers.append(int(digits or 0))
    return tuple(numbers + [0] * (3 - len(numbers)))


def airflow_version() -> str:
    """Raises AirflowNotSupported outside of 1.10.12 to 2.x."""
    from airflow import __version__ as version

    if not OLDEST <= version_tuple(version) < FIRST_TOO_NEW:
        message = f"Airflow {version} is not supported: the engine runs inside 1.10.12 to 2.11."
        raise AirflowNotSupported(message)
    return str(version)


def connect(application_name: str = APPLICATION_NAME) -> Any:
    """A new psycopg2 connection to Airflow's metadata database, outside of the engine's pool.

    Raises DatabaseNotSupported where it is not PostgreSQL, DatabaseUnreachable where it does not answer.
    """
    import psycopg2
    from airflow import settings
    from sqlalchemy.exc import SQLAlchemyError

    if settings.engine is None:
        settings.configure_orm()
    engine = settings.engine
    if engine.dialect.name != "postgresql":
        message = "The metadata database is {}; only PostgreSQL can be exported from or imported into."
        raise DatabaseNotSupported(message.format(engine.dialect.name))
    try:
        # Through the engine, whose events renew short-lived tokens, but from a pool of its own: a connection of the
        # task's pool may be old, and our settings and transactions must never reach it.
        pooled = engine.pool.recreate().connect()
        raw = getattr(pooled, "driver_connection", None) or pooled.connection
        pooled.detach()
        raw.rollback()
        execute(raw, SESSION_SETTINGS)
        execute(raw, "select set_config('application_name', %s, false)", (application_name,))
        if raw.server_version >= 140000:
            # A killed import's last statement, and with it the lock that keeps the next import out, ends soon.
            execute(raw, "set client_connection_check_interval to '1s'")
        raw.commit()
    except (psycopg2.OperationalError, SQLAlchemyError) as error:
        message = "The metadata database does not answer: {}. Check Airflow's sql_alchemy_conn and the network."
        raise DatabaseUnreachable(message.format(str(error).strip().splitlines()[0])) from error
    return raw


def connection_recipe() -> dict[str, str]:
    """psycopg2's parameters to connect like Airflow does, for a process without Airflow.

    They come from a new connection, because a token in them may live for minutes only. They hold the password: they
    travel through a pipe, never through arguments or the environment.
    """
    connection = connect()
    try:
        recipe = dict(connection.get_dsn_parameters())
        recipe.pop("options", None)
        if connection.info.password:
            recipe["password"] = connection.info.password
        return recipe
    finally:
        connection.close()


def connect_by_recipe(recipe: dict[str, str], application_name: str) -> Any:
    import psycopg2

    connection = psycopg2.connect(**recipe)
    execute(connection, SESSION_SETTINGS)
    execute(connection, "select set_config('application_name', %s, false)", (application_name,))
    connection.commit()
    return connection


def airflow_schema(connection: Any) -> str:
    """The schema in which Airflow's tables lie: the one where the search_path finds ``alembic_version``."""
    query = """
        select n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.oid = to_regclass('alembic_version')
    """
    schema = fetch_value(connection, query)
    if schema is None:
        raise AirflowNotSupported(
            "The metadata database has no table alembic_version; initialise it with Airflow first (airflow db migrate)."
        )
    return str(schema)


def schema_revision(connection: Any) -> str | None:
    """The Alembic revision of the schema on the search_path."""
    return fetch_value(connection, "select version_num from alembic_version")


def head_revision() -> str:
    """The revision that this Airflow's own migrations lead to: the one that no other follows.

    Read from the migrations' text. Alembic would import every one of them, and with them Airflow's models and FAB:
    50 MB and most of a second, for one word. Raises AirflowNotSupported where there is not exactly one.
    """
    revisions: set[str] = set()
    followed: set[str] = set()
    for text in _migrations():
        for name, value in _assignments(text):
            if name == "revision":
                revisions.add(value)
            elif name == "down_revision":
                followed.update([value] if isinstance(value, str) else value or ())
    heads = revisions - followed
    if len(heads) != 1:
        message = "Airflow's migrations lead to {} revisions ({}) and not to one; install Airflow anew."
        raise AirflowNotSupported(message.format(len(heads), ", ".join(sorted(heads))))
    return heads.pop()


def _migrations() -> Iterator[str]:
    """The text of each of this Airflow's migrations."""
    import airflow

    for path in glob.glob(os.path.join(os.path.dirname(airflow.__file__), "migrations", "versions", "*.py")):
        with open(path, encoding="utf-8") as migration:
            yield migration.read()


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    """The module's own names that are given a constant, with or without a type."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
                yield target.id, ast.literal_eval(statement.value)


def unknown_tables(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no migration of this Airflow mentions, so that some user or plugin made them.

    The text of the migrations is read rather than the models, because importing all models takes seconds and leaves
    out those whose optional dependency is not installed.
    """
    quoted = {name for text in _migrations() for name in re.findall(r"""["'](\w+)["']""", text)}
    return sorted(name for name in names if name not in quoted)


def fernet() -> Any:
    """Airflow's Fernet: ``encrypt``, ``decrypt`` and ``is_encrypted`` (False where no key is set)."""
    from airflow.models.crypto import get_fernet

    return get_fernet()


def log_filename_template() -> str:
    """How this Airflow names log files; before 2.3 the template is configuration only and not kept with the run."""
    from airflow.configuration import conf

    section = "logging" if version_tuple(airflow_version()) >= (2, 0, 0) else "core"
    return str(conf.get(section, "log_filename_template", raw=True)).replace("%%", "%")


def dags_folder() -> str:
    """Where this Airflow looks for DAG files."""
    from airflow.configuration import conf

    return os.path.expanduser(str(conf.get("core", "dags_folder")))


def default_pool_slots() -> int:
    """The slots that this Airflow gives to default_pool when it makes it."""
    from airflow.configuration import conf

    return int(conf.getint("core", "default_pool_task_slot_count", fallback=128))
