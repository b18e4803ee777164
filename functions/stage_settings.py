"""StageSettings, StageHop: copies requirements, plugins and start-up script for the target's next Airflow version.

What the attempt before has staged in the same way keeps its version, so that a target which has it needs no update.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypedDict

from migration.airflow import constraints, pip_requirements
from migration.aws import clients
from migration.environments import dag_folder, environment, overriding, s3_objects
from migration.environments.bucket_writer import BucketWriter
from migration.environments.requests import Files
from migration.errors import ResourceMissing
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import Store, of_attempt
from migration.model import Migration
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class StagedSettings:
    """Keys and pinned versions for CreateEnvironment or UpdateEnvironment."""

    files: dict[str, Any]


class _Staged(TypedDict):
    """What is kept of it. `origins` says what each file was made of: the source's key and version, and a digest."""

    files: dict[str, Any]
    notes: list[str]
    origins: dict[str, list[str | None]]


@state
def handler(*, execution: str, migration: Migration, airflow_version: str) -> StagedSettings:
    """What was staged for that version before is found again. Before a hop our DAGs leave the target."""
    require_locks(migration, execution)
    store = of_attempt(clients.s3(), migration)
    staged: _Staged | None = store.read(layout.staged(airflow_version))
    if staged is None:
        staged = _copy_settings(migration, airflow_version, _staged_before(migration, airflow_version))
        store.write(layout.staged(airflow_version), staged)
    target = migration["target"]
    if airflow_version in migration["hops"]:
        # They have done their work.
        dag_folder.remove_our_dags(clients.s3(target["region"]), target["bucket"], target["dagsPath"])
    return StagedSettings(files=staged["files"])


def _staged_before(migration: Migration, airflow_version: str) -> _Staged:
    """What the attempt before this one has staged."""
    folder = layout.attempt(migration["id"], migration["attempt"] - 1)
    found: _Staged | None = Store(clients.s3(), migration["bucket"], folder).read(layout.staged(airflow_version))
    return found or _Staged(files={}, notes=[], origins={})


def _copy_settings(migration: Migration, airflow_version: str, before: _Staged) -> _Staged:
    source, target = migration["source"], migration["target"]
    current = environment.get(clients.mwaa(source["region"]), source["environment"]) or {}
    from_s3 = clients.s3(source["region"])
    writer = BucketWriter.of(clients.s3(target["region"]), target["bucket"])
    pinned: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    origins: dict[str, list[str | None]] = {}
    for name, prefix in (("requirements", "Requirements"), ("plugins", "Plugins"), ("startup_script", "StartupScript")):
        key = current.get(f"{prefix}S3Path")
        if not key or overriding.gives_file(migration["overrides"], prefix, airflow_version, migration["hops"]):
            continue
        to_key = f"{target['environment']}/{airflow_version}/{key.rsplit('/', 1)[-1]}"
        found = s3_objects.pin(from_s3, source["bucket"], key, current.get(f"{prefix}S3ObjectVersion"))
        origins[name] = [found.key, found.version]
        content = None
        if name == "requirements":
            text, encoding = pip_requirements.decoded(s3_objects.read(from_s3, source["bucket"], found))
            text, changes = constraints.fitted(text, airflow_version)
            notes += changes
            if encoding != "utf-8":
                notes.append(f"{key} is {encoding}; the target's is UTF-8.")
            content = pip_requirements.encoded(text)
            # Another release of ours may fit the same file in another way.
            origins[name].append(hashlib.sha256(content).hexdigest())
        if before["origins"].get(name) == origins[name] and _is_there(writer, before["files"][name]):
            version = before["files"][name][1]
        elif content is not None:
            version = writer.put(to_key, content)
        else:
            version = writer.copy(found, source["bucket"], to_key)
        pinned[name] = (to_key, version or "")
    return _Staged(files=Files(dags=target["dagsPath"], **pinned)._asdict(), notes=notes, origins=origins)


def _is_there(writer: BucketWriter, pinned: list[str]) -> bool:
    key, version = pinned
    try:
        s3_objects.pin(writer.s3, writer.bucket, key, version)
    except ResourceMissing:
        return False
    return True
