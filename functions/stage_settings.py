"""StageSettings, StageHop: copies requirements, plugins and start-up script for the target's next Airflow version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration.airflow import constraints, pip_requirements
from migration.aws import clients
from migration.environments import dag_folder, environment, requests, s3_objects
from migration.environments.bucket_writer import BucketWriter
from migration.environments.requests import Files
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt
from migration.model import Migration
from migration.observability import state


@dataclass(frozen=True, kw_only=True)
class StagedSettings:
    """Keys and pinned versions for CreateEnvironment or UpdateEnvironment."""

    files: dict[str, Any]


@state
def handler(*, execution: str, migration: Migration, airflow_version: str) -> StagedSettings:
    """What was staged for that version before is found again. Before a hop our DAGs leave the target."""
    require_locks(migration, execution)
    store = of_attempt(clients.s3(), migration)
    staged = store.read(layout.staged(airflow_version))
    if staged is None:
        files, notes = _copy_settings(migration, airflow_version)
        staged = {"files": files._asdict(), "notes": notes}
        store.write(layout.staged(airflow_version), staged)
    target = migration["target"]
    if airflow_version in migration["hops"]:
        # They have done their work.
        dag_folder.remove_our_dags(clients.s3(target["region"]), target["bucket"], target["dagsPath"])
    return StagedSettings(files=staged["files"])


def _copy_settings(migration: Migration, airflow_version: str) -> tuple[Files, list[str]]:
    source, target = migration["source"], migration["target"]
    current = environment.get(clients.mwaa(source["region"]), source["environment"]) or {}
    from_s3 = clients.s3(source["region"])
    writer = BucketWriter.of(clients.s3(target["region"]), target["bucket"])
    pinned: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    for name, prefix in (("requirements", "Requirements"), ("plugins", "Plugins"), ("startup_script", "StartupScript")):
        key = current.get(f"{prefix}S3Path")
        if not key or requests.gives_file(migration["overrides"], prefix, airflow_version, migration["hops"]):
            continue
        to_key = f"{target['environment']}/{airflow_version}/{key.rsplit('/', 1)[-1]}"
        found = s3_objects.pin(from_s3, source["bucket"], key, current.get(f"{prefix}S3ObjectVersion"))
        if name == "requirements":
            text, encoding = pip_requirements.decoded(s3_objects.read(from_s3, source["bucket"], found))
            text, told = constraints.fitted(text, airflow_version)
            notes += told
            if encoding != "utf-8":
                notes.append(f"{key} is {encoding}; the target's is UTF-8.")
            version = writer.put(to_key, pip_requirements.encoded(text))
        else:
            version = writer.copy(found, source["bucket"], to_key)
        pinned[name] = (to_key, version or "")
    return Files(dags=target["dagsPath"], **pinned), notes
