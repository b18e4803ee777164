"""Whether this Airflow's metadata database is PostgreSQL, which decides what reads it."""

from __future__ import annotations

from mwaa_migrator.errors import DatabaseNotSupported
from mwaa_migrator.this_airflow.configuration import metadata_url

#: The dialects, as SQLAlchemy's URLs begin, that ``other_databases`` reads.
OTHERS = ("sqlite", "mysql", "mariadb")


def is_other_database() -> bool:
    """False for PostgreSQL, for what nothing can read, and where Airflow keeps a task out of its database."""
    return metadata_url().split(":")[0].split("+")[0] in OTHERS


def require_postgresql(what: str) -> None:
    """Raises DatabaseNotSupported, before a module asks for a driver of PostgreSQL's that this Airflow may lack."""
    if is_other_database():
        raise DatabaseNotSupported(
            f"The metadata database is not PostgreSQL, which {what} needs. It can be looked at (check) and exported as "
            "a whole (export)."
        )
