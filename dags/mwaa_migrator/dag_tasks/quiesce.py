"""Quiesce, drain and resume: pausing the source's DAGs, waiting for its tasks, and putting the DAGs back.

What quiesce pauses it remembers first, in an object beside the artifact. Resume *closes* that memory for good: a task
that waited for a worker may begin after a rollback, and must pause nothing then.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks.dag_states import active_dags, count_running_tasks, set_paused
from mwaa_migrator.errors import DrainTimedOut, SourceResumed
from mwaa_migrator.export.export_options import export_options
from mwaa_migrator.export.source_check import require_exportable
from mwaa_migrator.options import FAIL_DRAIN, WAIT
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database

#: What quiesce remembers and resume puts back.
_MEMORY = "active_dags.json"

#: The source's DAGs wait as well.
_DRAIN_POLL_SECONDS = 1


def quiesce(storage: Storage, options: Dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Pause every DAG but ours, unless the export would be refused.

    Which were active is remembered before the first is paused.
    """
    if options["probe"] or not options["quiesce"]:
        return {"active_dags": [], "paused": 0}
    with metadata_database() as source:
        require_exportable(source, export_options(options))
        # Tried again after some DAGs were paused, what the first try saw counts.
        remembered = read_open_memory(storage)["active_dags"]
        active = sorted({*active_dags(source), *remembered})
        storage.write_json(_MEMORY, {"active_dags": active, "closed": False, "resumed": False})
        paused = set_paused(source, active, True)
        try:
            read_open_memory(storage)
        except SourceResumed:
            set_paused(source, active, False)
            raise
        return {"active_dags": active, "paused": paused}


def drain(storage: Storage, options: Dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Wait until no task runs; when the time is over, put the DAGs back and fail, unless told to go on."""
    if options["probe"] or not options["quiesce"]:
        return {"running": 0, "waited_seconds": 0}
    with metadata_database() as source:
        begun = time.monotonic()
        while True:
            running = count_running_tasks(source)
            # No transaction is open while we sleep, and the next count sees what has ended meanwhile.
            source.connection.commit()
            waited = round(time.monotonic() - begun, 1)
            if not running or (waited >= options["drainSeconds"] and options["drainPolicy"] != WAIT):
                break
            progress.say(f"drain: {running} task instances are still running")
            time.sleep(_DRAIN_POLL_SECONDS)
        if running and options["drainPolicy"] == FAIL_DRAIN:
            resumed = _put_back(source, storage)
            message = (
                "{} task instances were still running after {} s, so the {} paused DAGs were put back. Allow more "
                "drainSeconds, start when less runs, or leave the tasks unfinished with drainPolicy abandon."
            )
            raise DrainTimedOut(message.format(running, waited, resumed))
        return {"running": running, "waited_seconds": waited}


def resume(storage: Storage, options: Dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Put the DAGs back that quiesce paused; doing it twice changes nothing."""
    with metadata_database() as source:
        return {"resumed": _put_back(source, storage)}


def _put_back(source: MetadataDatabase, storage: Storage) -> int:
    memory = _read_memory(storage)
    remembered = [] if memory["resumed"] else memory["active_dags"]
    # Closed first, even if nothing was paused: a quiesce that has not begun yet pauses nothing any more. Resumed last:
    # a try that ends in between is repeated.
    storage.write_json(_MEMORY, {**memory, "closed": True})
    resumed = set_paused(source, remembered, False)
    storage.write_json(_MEMORY, {**memory, "closed": True, "resumed": True})
    return resumed


def _read_memory(storage: Storage) -> dict[str, Any]:
    if storage.size(_MEMORY) is None:
        return {"active_dags": [], "closed": False, "resumed": False}
    return dict(json.loads(storage.read_bytes(_MEMORY).decode("utf-8")))


def read_open_memory(storage: Storage) -> dict[str, Any]:
    """The memory; raises SourceResumed if the source's DAGs were put back for good."""
    memory = _read_memory(storage)
    if memory["closed"]:
        raise SourceResumed(
            "The source's DAGs were put back by a rollback or by the drain's time-out. Start the migration again: it "
            "pauses them anew and makes another artifact."
        )
    return memory
