"""What an agent needs, tried out before anything else: every lack is told, not only the first."""

from __future__ import annotations

import platform
from typing import Any, Callable, Dict, List

from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.errors import DatabaseNotSupported, MigratorError, StorageUnfit
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.configuration import dags_folder, executor, fernet
from mwaa_migrator.this_airflow.database import metadata_database
from mwaa_migrator.this_airflow.database_kind import is_other_database

_OBJECT = "agent/check.json"


def check(place: S3Storage, progress: Progress) -> Dict[str, Any]:
    """What this Airflow is, and ``problems``: ``[{"name", "message"}]``, empty where nothing is missing.

    It leaves one small object below the place, and changes nothing else.
    """
    found: Dict[str, Any] = {"python": platform.python_version(), "exchange": place.url}
    problems: List[Dict[str, str]] = []
    for look in (look_at_place, _look_at_database, _look_at_configuration):
        problem = _problem_of(look, place, found)
        if problem is not None:
            problems.append({"name": problem.name, "message": str(problem)})
    for name, value in found.items():
        progress.say("{}: {}".format(name.replace("_", " "), value))
    return dict(found, problems=problems)


def _problem_of(
    look: Callable[[S3Storage], Dict[str, Any]], place: S3Storage, found: Dict[str, Any]
) -> MigratorError | None:
    """Add what a look finds to ``found``; returns what it raises."""
    try:
        found.update(look(place))
    except MigratorError as error:
        return error
    return None


def look_at_place(place: S3Storage) -> Dict[str, Any]:
    """Write, list, read, and write over a version, with the rights that the agent has."""
    place.write_json(_OBJECT, {"python": platform.python_version()})
    seen = place.read_tagged(_OBJECT)
    assert seen is not None
    if place.write_over(_OBJECT, seen.content, None) is not None or not place.write_over(
        _OBJECT, seen.content, seen.tag
    ):
        raise StorageUnfit(
            f"{place.url} does not take writes under a condition (If-Match, If-None-Match), by which an agent keeps a "
            "second one out. Use an S3 that does."
        )
    return {"rights": "reads, writes and lists"}


def _look_at_database(_: S3Storage) -> Dict[str, Any]:
    if is_other_database():
        raise DatabaseNotSupported(
            "The metadata database is not PostgreSQL, and an agent works with that only. Export from this one by the "
            "engine's own command, with the DAGs paused: mwaa_migrator.pyz export --to URL."
        )
    with metadata_database() as database:
        return {
            "airflow_version": database.airflow_version,
            "revision": database.revision,
            "schema": database.schema,
            "server_version": database.connection.server_version,
        }


def _look_at_configuration(_: S3Storage) -> Dict[str, Any]:
    # Airflow's Fernet without a key stores secrets in clear.
    is_set = fernet().is_encrypted
    return {"fernet_key": "set" if is_set else "none", "executor": executor(), "dags_folder": dags_folder()}
