"""The manifest: what an artifact holds, written last, so that its presence means that the export is whole."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from mwaa_migrator import FORMAT_VERSION
from mwaa_migrator.artifact.storage import Storage, open_storage
from mwaa_migrator.errors import (
    ArtifactAmbiguous,
    ArtifactDamaged,
    ArtifactFormatUnknown,
    ArtifactIncomplete,
    InvalidArguments,
)

MANIFEST = "manifest.json"
SCHEMA = "schema.json"
#: The folder of the parts.
TABLES = "tables"

#: The id becomes part of a schema's name (63 bytes in PostgreSQL) and of an S3 key.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")

_REQUIRED = (
    "format_version",
    "migration_id",
    "airflow_version",
    "revision",
    "snapshot_time",
    "tables",
    "schema_sha256",
)


def check_id(migration_id: str) -> str:
    if not _ID.match(migration_id):
        raise InvalidArguments(
            f"'{migration_id}' cannot be a migration id: use 1 to 40 letters, digits, - and _, no sign first."
        )
    return migration_id


def find_artifact(url: str, migration_id: str | None = None) -> Storage:
    """The place of the artifact: ``url`` itself, or the one folder below it that holds a manifest.

    Raises ArtifactIncomplete where there is none and ArtifactAmbiguous where there are several and no id chooses.
    """
    storage = open_storage(url)
    if storage.size(MANIFEST) is not None and migration_id in (None, read_manifest(storage)["migration_id"]):
        return storage
    if migration_id is not None:
        candidates = [migration_id] if storage.child(migration_id).size(MANIFEST) is not None else []
    else:
        candidates = [name for name in storage.folders() if storage.child(name).size(MANIFEST) is not None]
    if not candidates:
        message = "There is no {} in {}: no export finished there. Run the export, or correct the location."
        raise ArtifactIncomplete(message.format(MANIFEST, storage.url))
    if len(candidates) > 1:
        message = "{} holds {} artifacts ({}). Name one, as {}/<migration id>."
        raise ArtifactAmbiguous(message.format(storage.url, len(candidates), ", ".join(candidates[:5]), storage.url))
    return storage.child(candidates[0])


def read_manifest(storage: Storage) -> dict[str, Any]:
    """The manifest with ``sha256`` of its own bytes added; raises ArtifactIncomplete, -Damaged or -FormatUnknown."""
    if storage.size(MANIFEST) is None:
        message = "There is no {} in {}: no export finished there."
        raise ArtifactIncomplete(message.format(MANIFEST, storage.url))
    content = storage.read_bytes(MANIFEST)
    try:
        manifest = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ArtifactDamaged(f"{storage.url}/{MANIFEST} is not JSON ({error}). Export again.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format_version"), int):
        message = "{}/{} has no format_version, so it is no manifest of ours. Export again."
        raise ArtifactDamaged(message.format(storage.url, MANIFEST))
    if manifest["format_version"] > FORMAT_VERSION:
        message = "{} has format {} and this version reads up to {}. Import with the version that wrote it."
        raise ArtifactFormatUnknown(message.format(storage.url, manifest["format_version"], FORMAT_VERSION))
    missing = [name for name in _REQUIRED if name not in manifest]
    if missing:
        message = "{}/{} lacks {}. Export again."
        raise ArtifactDamaged(message.format(storage.url, MANIFEST, ", ".join(missing)))
    check_id(manifest["migration_id"])
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    return manifest


def read_schema(storage: Storage, manifest: dict[str, Any]) -> dict[str, Any]:
    """schema.json, checked against the manifest's hash."""
    if storage.size(SCHEMA) is None:
        raise ArtifactDamaged(f"{storage.url}/{SCHEMA} is missing. Export again.")
    content = storage.read_bytes(SCHEMA)
    if hashlib.sha256(content).hexdigest() != manifest["schema_sha256"]:
        raise ArtifactDamaged(f"{storage.url}/{SCHEMA} is not what the export wrote. Export again.")
    return dict(json.loads(content.decode("utf-8")))
