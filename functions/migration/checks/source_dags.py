"""What the source knows of its DAGs, as our DAGs have read it in its metadata database."""

from __future__ import annotations

from typing import Any, TypedDict

from migration.airflow import our_dags, runs
from migration.exchange import layout
from migration.exchange.store import Store
from migration.model import Migration


class KnownDag(TypedDict):
    """`file` is a path below the DAG folder."""

    dag_id: str
    file: str


class SourceDags(TypedDict):
    """`dags` is None where nobody knows. `broken_files` are those that the source cannot import.

    `variables` and `connections` are names that the target will have after the import, and has not yet.
    """

    dags: list[KnownDag] | None
    broken_files: list[str]
    variables: list[str]
    connections: list[str]


def read(artifact: Store, migration: Migration) -> SourceDags:
    """A migration's checks come before the export, so its probe tells them; a rehearsal's come after the import."""
    if migration["mode"] == "rehearse":
        return _of(artifact.read(layout.DAGS), {})
    probed = runs.results(artifact, our_dags.PROBE, runs.run_id(migration, our_dags.PROBE)).get("export", {})
    return _of(probed.get("dag_list"), probed.get("settings") or {})


def _of(listed: dict[str, Any] | None, settings: dict[str, list[str]]) -> SourceDags:
    return SourceDags(
        dags=(listed or {}).get("dags"),
        broken_files=(listed or {}).get("broken_files") or [],
        variables=settings.get("variable") or [],
        connections=settings.get("connection") or [],
    )
