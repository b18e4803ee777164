"""Check: whether an import could begin in this target. It writes nothing, and needs no artifact yet."""

from __future__ import annotations

import json
from typing import Any, Dict

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.target_check import check_target
from mwaa_migrator.this_airflow.database import metadata_database

#: The result of the source's own check, in the same place (``export.source_check``).
SOURCE_CHECK = "export.json"


def probe_target(storage: Storage, progress: Progress) -> Dict[str, Any]:
    """``{"airflow_version", "revision", "way_in"}``; raises what connecting does, and what ``check_target`` raises."""
    source = json.loads(storage.read_bytes(SOURCE_CHECK).decode("utf-8"))
    with metadata_database() as target, progress.phase("check"):
        check_target(target, source["airflow_version"], source["revision"])
        return {
            "airflow_version": target.airflow_version,
            "revision": target.revision,
            "way_in": target.place.way_in,
        }
