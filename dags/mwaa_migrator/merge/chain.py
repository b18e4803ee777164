"""The artifacts that a delta follows in this target: a base, and the deltas between."""

from __future__ import annotations

from typing import Any, List, Tuple

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.errors import BaseNotImported
from mwaa_migrator.merge.receipts import find_receipt
from mwaa_migrator.postgres.session import fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase


def read_chain(target: MetadataDatabase, artifact: Artifact) -> Tuple[str, ...]:
    """The ids of what the delta follows, the last one first; none for any other artifact.

    Raises BaseNotImported unless the one that it follows is the last of them that was imported here, at the revision
    that the target still has.
    """
    follows = artifact.manifest.get("follows")
    if follows is None:
        return ()
    name = follows["artifact_id"]
    receipt = find_receipt(target.connection, name)
    if receipt is None or receipt["manifest_sha256"] != follows["manifest_sha256"]:
        raise _not_imported(artifact, name, "it was not imported into this metadata database")
    if receipt["result"]["target"]["revision"] != target.revision or receipt["result"]["mended_for_hop"]:
        raise _not_imported(artifact, name, "the target was upgraded, or mended for an upgrade, since its import")
    later = follower(target.connection, name)
    if later is not None:
        raise _not_imported(artifact, name, f"{later}, which follows it too, was imported since")
    chain: List[str] = []
    while name is not None:
        chain.append(name)
        receipt = find_receipt(target.connection, name)
        name = None if receipt is None else receipt["result"].get("follows")
    return tuple(chain)


def follower(connection: Any, artifact_id: str) -> str | None:
    """The delta that was imported after this artifact and follows it; None if there is none."""
    if fetch_value(connection, "select to_regclass('mwaa_migrator.imports')") is None:
        return None
    query = "select artifact_id from mwaa_migrator.imports where result ->> 'follows' = %s"
    found = fetch_value(connection, query, (artifact_id,))
    return None if found is None else str(found)


def _not_imported(artifact: Artifact, base: str, reason: str) -> BaseNotImported:
    message = (
        "{} is a delta of {}, and {}. Nothing was merged. Import what it follows first, or take a delta of the last "
        "artifact that was imported."
    )
    return BaseNotImported(message.format(artifact.id, base, reason))
