"""A whole artifact: where it is kept, and what its manifest says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from mwaa_migrator.airflow_schema.tables import LEFT_OUT_AS_ASKED
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.manifest import MANIFEST, read_manifest
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactAmbiguous, ArtifactIncomplete


@dataclass(frozen=True)
class Artifact:
    """``manifest`` is as ``read_manifest`` returns it; ``tables`` has the entry of each table that it holds."""

    storage: Storage
    manifest: Dict[str, Any]

    @property
    def id(self) -> str:
        """``<migration id>``, or ``<migration id>-<attempt>`` for a second attempt."""
        return str(self.manifest["artifact_id"])

    @property
    def tables(self) -> Dict[str, Dict[str, Any]]:
        """By table: ``{"columns", "rows", "bytes", "parts", "checksum"}``."""
        return dict(self.manifest["tables"])

    @property
    def left_out(self) -> List[str]:
        """The tables that the export's options have left out."""
        return [name for name, reason in self.manifest["not_exported"].items() if reason == LEFT_OUT_AS_ASKED]

    def rows(self, table: str) -> int:
        """The exported rows of a table; 0 for one that the artifact does not hold."""
        return int(self.tables[table]["rows"]) if table in self.tables else 0

    def missing_parts(self) -> List[str]:
        """The names of the parts that are not there, or not with the bytes that they should have."""
        return [
            part["name"]
            for entry in self.tables.values()
            for part in entry["parts"]
            if self.storage.size(part["name"]) != part["stored_bytes"]
        ]


def read_artifact(storage: Storage) -> Artifact:
    """Raises what ``read_manifest`` raises."""
    return Artifact(storage, read_manifest(storage))


def find_artifact(url: str, artifact_id: str | None = None) -> Storage:
    """The place of the artifact: ``url`` itself, or the one folder below it that holds a manifest.

    Raises ArtifactIncomplete if there is none, ArtifactAmbiguous if there are several and no id chooses.
    """
    storage = open_storage(url)
    if storage.size(MANIFEST) is not None and artifact_id in (None, read_artifact(storage).id):
        return storage
    if artifact_id is not None:
        candidates = [artifact_id] if storage.child(artifact_id).size(MANIFEST) is not None else []
    else:
        candidates = [name for name in storage.folders() if storage.child(name).size(MANIFEST) is not None]
    if not candidates:
        message = "There is no {} in {}: no export finished there. Export first, or correct the location."
        raise ArtifactIncomplete(message.format(MANIFEST, storage.url))
    if len(candidates) > 1:
        message = "{0} holds {1} artifacts ({2}). Name one: {0}/<artifact id>."
        raise ArtifactAmbiguous(message.format(storage.url, len(candidates), ", ".join(candidates[:5])))
    return storage.child(candidates[0])


def summary(artifact: Artifact) -> dict[str, Any]:
    """The manifest without its parts, as the result of ``export`` and ``inspect`` gives it."""
    manifest = artifact.manifest
    tables = {
        name: {
            "rows": entry["rows"],
            "bytes": entry["bytes"],
            "parts": len(entry["parts"]),
            "checksum": entry["checksum"],
        }
        for name, entry in artifact.tables.items()
    }
    return {
        "artifact": artifact.storage.url,
        "artifact_id": artifact.id,
        "source": {"airflow_version": manifest["airflow_version"], "revision": manifest["revision"]},
        "snapshot_time": manifest["snapshot_time"],
        "options": manifest["options"],
        "tables": tables,
        "unfinished": {name: count for name, count in manifest["unfinished"].items() if name != "listed"},
        "not_exported": manifest["not_exported"],
        "skipped_undecryptable": manifest["skipped_undecryptable"],
        "columns_left_out": manifest["columns_left_out"],
        "indexes_left_out": manifest["indexes_left_out"],
        "constraints_left_out": manifest["constraints_left_out"],
        "set_aside": manifest["set_aside"],
        "refused_by_airflow_3": manifest["refused_by_airflow_3"],
        **{name: manifest[name] for name in ("follows", "changed_units") if name in manifest},
    }
