"""Opens this Airflow's metadata database where it is not PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from mwaa_migrator.airflow_schema.tables import REVISION_TABLE
from mwaa_migrator.errors import AirflowNotSupported, DatabaseNotSupported, RevisionUnclear
from mwaa_migrator.other_databases.mysql_source import open_mysql
from mwaa_migrator.other_databases.source import Source, as_text, name
from mwaa_migrator.other_databases.sqlite_source import open_sqlite
from mwaa_migrator.this_airflow.configuration import metadata_url
from mwaa_migrator.this_airflow.release import airflow_version


@contextmanager
def open_source() -> Iterator[Source]:
    """The database as of this instant, for the length of the block.

    Raises DatabaseNotSupported for another product, AirflowNotSupported where Airflow has made no tables,
    RevisionUnclear, and what the product's own module raises.
    """
    from sqlalchemy.engine.url import make_url

    version = airflow_version()
    url = make_url(metadata_url())
    dialect = url.drivername.split("+")[0]
    if dialect == "sqlite":
        opened = open_sqlite(str(url.database), version)
    elif dialect in ("mysql", "mariadb"):
        opened = open_mysql(_engine(), version)
    else:
        raise DatabaseNotSupported(
            f"The metadata database is {dialect}. PostgreSQL, SQLite, MySQL and MariaDB can be exported."
        )
    with opened as source:
        source.revision = _read_revision(source)
        yield source


def _engine() -> Any:
    """Airflow's own engine."""
    from airflow import settings

    if settings.engine is None:
        settings.configure_orm()
    return settings.engine


def _read_revision(source: Source) -> str:
    if REVISION_TABLE not in source.columns:
        raise AirflowNotSupported(
            f"The metadata database has no table {REVISION_TABLE}. Initialise it with Airflow first."
        )
    rows = source.query(f"select version_num from {name(REVISION_TABLE)}")  # nosec B608
    revisions = [str(as_text(one)) for (one,) in rows]
    if len(revisions) != 1:
        found = ", ".join(sorted(revisions)) or "none"
        raise RevisionUnclear(
            f"{REVISION_TABLE} must have one revision, and has {found}. Leave the one that the tables are at "
            "(airflow db check-migrations names Airflow's)."
        )
    return revisions[0]
