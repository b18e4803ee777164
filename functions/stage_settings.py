"""StageSettings, StageHop: copies requirements, plugins and start-up script for the target's next Airflow version.

What the attempt before has staged in the same way keeps its version, so that a target which has it needs no update.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import Any, TypedDict

from migration.airflow import constraints, pip_requirements, ways_in
from migration.aws import clients
from migration.environments import dag_folder, environment, overriding, plugins_archive, s3_objects
from migration.environments.bucket_writer import BucketWriter
from migration.environments.requests import Files
from migration.environments.s3_objects import Source
from migration.errors import PluginsUnfit, ResourceMissing
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
    """What is kept of it. `origins` says what each file was made of: the source's key and version, and a digest of what
    was made of it here."""

    files: dict[str, Any]
    notes: list[str]
    origins: dict[str, list[str | None]]


@state
def handler(*, execution: str, migration: Migration, airflow_version: str) -> StagedSettings:
    """What was staged for that version before is found again. Before a hop our DAGs leave the target.

    An adopted target has files of its own, so nothing is staged for it.
    """
    require_locks(migration, execution)
    if migration["adopted"]:
        return StagedSettings(files=Files(dags=migration["target"]["dagsPath"])._asdict())
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
        if overriding.gives_file(migration["overrides"], prefix, airflow_version, migration["hops"]):
            continue
        key = current.get(f"{prefix}S3Path")
        found = None
        if key:
            found = s3_objects.pin(from_s3, source["bucket"], key, current.get(f"{prefix}S3ObjectVersion"))
        content = None
        if found and name == "requirements":
            content, changes = _fitted_requirements(migration, airflow_version, found)
            notes += changes
        elif name == "plugins" and airflow_version == migration["importVersion"]:
            content, without = _plugins_with_ours(migration, found)
            notes += without
        if not found and content is None:
            continue
        to_key = f"{target['environment']}/{airflow_version}/{(key or f'{name}.zip').rsplit('/', 1)[-1]}"
        origins[name] = [found.key, found.version] if found else []
        if content is not None:
            # Another release of ours may make something else of the same file.
            origins[name].append(hashlib.sha256(content).hexdigest())
        if before["origins"].get(name) == origins[name] and _is_there(writer, before["files"][name]):
            version = before["files"][name][1]
        elif content is not None:
            version = writer.put(to_key, content, "application/zip" if name == "plugins" else "text/plain")
        else:
            assert found is not None
            version = writer.copy(found, source["bucket"], to_key)
        pinned[name] = (to_key, version or "")
    return _Staged(files=Files(dags=target["dagsPath"], **pinned)._asdict(), notes=notes, origins=origins)


def _fitted_requirements(migration: Migration, airflow_version: str, found: Source) -> tuple[bytes, list[str]]:
    """The requirements for that version, and what was changed in them."""
    source = migration["source"]
    text, encoding = pip_requirements.decoded(s3_objects.read(clients.s3(source["region"]), source["bucket"], found))
    text, changes = constraints.fitted(text, airflow_version)
    if encoding != "utf-8":
        changes.append(f"{found.key} is {encoding}; the target's is UTF-8.")
    return pip_requirements.encoded(text), changes


def _plugins_with_ours(migration: Migration, users: Source | None) -> tuple[bytes | None, list[str]]:
    """The user's plugins.zip with our plugin, None where the target gets none of ours; and notes on that.

    Raises PluginsUnfit if ours cannot be added and is the only way in. As a second way it can be done without.
    """
    if migration["wayIn"] == ways_in.WORKER:
        return None, []
    try:
        return _with_ours(migration, users), []
    except PluginsUnfit as error:
        if migration["wayIn"] == ways_in.PLUGIN:
            raise
        return None, [f"The target has no plugin of ours, which is the second way to its database. {error}"]


def _with_ours(migration: Migration, users: Source | None) -> bytes:
    artifacts = layout.artifacts_url(migration["bucket"])
    if users is None:
        return plugins_archive.with_plugin(None, artifacts)
    source = migration["source"]
    url = f"s3://{source['bucket']}/{users.key}"
    instead = f"or start again with {ways_in.WORKER} as options.wayIn."
    if users.size > plugins_archive.LARGEST:
        raise PluginsUnfit(
            f"{url} has {users.size:,} bytes, and our plugin is added to archives of up to "
            f"{plugins_archive.LARGEST:,}. Make it smaller, {instead}"
        )
    given = s3_objects.read(clients.s3(source["region"]), source["bucket"], users)
    try:
        return plugins_archive.with_plugin(given, artifacts)
    except zipfile.BadZipFile as error:
        raise PluginsUnfit(f"{url} is no zip archive: {error}. Correct it, {instead}") from error


def _is_there(writer: BucketWriter, pinned: list[str]) -> bool:
    key, version = pinned
    try:
        s3_objects.pin(writer.s3, writer.bucket, key, version)
    except ResourceMissing:
        return False
    return True
