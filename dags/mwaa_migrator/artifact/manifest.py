"""The manifest: what an artifact holds, and its id.

It is written last, so its presence means that the export is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactDamaged, ArtifactFormatUnknown, ArtifactIncomplete, InvalidArguments

#: Version of the artifact's layout. An import refuses an artifact of a later format.
FORMAT_VERSION = 1

MANIFEST = "manifest.json"
SCHEMA = "schema.json"
#: The folder of the parts.
TABLES = "tables"
#: The folder of the sums by unit, which a base and a delta have.
SUMS = "sums"
#: Which DAGs the source knows, and in which files.
DAG_LIST = "dags.json"
#: The units that a delta replaces.
CHANGES = "changes.json"

#: With ``mwaa_migrator_`` before it, the id is a schema's name (63 bytes in PostgreSQL); it is part of an S3 key, too.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,48}\Z")

_REQUIRED = (
    "format_version",
    "artifact_id",
    "airflow_version",
    "revision",
    "snapshot_time",
    "tables",
    "schema_sha256",
)


def check_id(artifact_id: str) -> str:
    """The id itself; raises InvalidArguments if it cannot be one."""
    if not _ID.match(artifact_id):
        raise InvalidArguments(
            f"'{artifact_id}' cannot be an artifact's id: use 1 to 49 letters, digits, - and _, with a letter or digit "
            "first."
        )
    return artifact_id


def read_manifest(storage: Storage) -> dict[str, Any]:
    """The manifest, with the SHA-256 of its own bytes as ``sha256``.

    Raises ArtifactIncomplete, ArtifactDamaged or ArtifactFormatUnknown.
    """
    place = f"{storage.url}/{MANIFEST}"
    if storage.size(MANIFEST) is None:
        message = "There is no {} in {}: no export finished there. Export first, or correct the location."
        raise ArtifactIncomplete(message.format(MANIFEST, storage.url))
    content = storage.read_bytes(MANIFEST)
    try:
        manifest = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ArtifactDamaged(f"{place} is not JSON ({error}). Export again.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format_version"), int):
        raise ArtifactDamaged(f"{place} has no format_version, so it is not one of our manifests. Export again.")
    if manifest["format_version"] > FORMAT_VERSION:
        message = "{} has format {} and this version reads up to {}. Import with the version that wrote it."
        raise ArtifactFormatUnknown(message.format(place, manifest["format_version"], FORMAT_VERSION))
    missing = [name for name in _REQUIRED if name not in manifest]
    if missing:
        raise ArtifactDamaged("{} lacks {}. Export again.".format(place, ", ".join(missing)))
    check_id(manifest["artifact_id"])
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    return manifest


def read_schema(storage: Storage, manifest: dict[str, Any]) -> dict[str, Any]:
    """schema.json; raises ArtifactDamaged if it does not have the hash that the manifest gives."""
    if storage.size(SCHEMA) is None:
        raise ArtifactDamaged(f"{storage.url}/{SCHEMA} is missing. Export again.")
    content = storage.read_bytes(SCHEMA)
    if hashlib.sha256(content).hexdigest() != manifest["schema_sha256"]:
        raise ArtifactDamaged(f"{storage.url}/{SCHEMA} is not what the export wrote. Export again.")
    return dict(json.loads(content.decode("utf-8")))
