"""Quiesce, drain and resume: pausing the source's DAGs, waiting for its tasks, and putting the DAGs back.

What quiesce pauses it remembers first, in an object beside the artifact. Resume *closes* the quiescence for good, by
another object: a task that waited for a worker may begin after a rollback, and must pause nothing then. Either may be
killed at any point, tried again, or run twice side by side; docs/hand-over.md says why that does no harm.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks.dag_states import active_dags, change_states, count_running_tasks, set_paused
from mwaa_migrator.errors import DrainTimedOut, SourceResumed
from mwaa_migrator.export.export_options import export_options
from mwaa_migrator.export.source_check import require_exportable
from mwaa_migrator.options import FAIL_DRAIN, WAIT
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database

#: What quiesce remembers and resume puts back: ``{"active_dags"}``. Quiesce alone writes it.
MEMORY = "active_dags.json"
#: That the source's DAGs are put back for good: ``{"resumed"}``, true once they are. Quiesce never writes it.
CLOSED = "closed.json"

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
        require_open(storage)
        # In this order: whoever has paused DAGs before they were listed here has remembered them before.
        active = active_dags(source)
        active = sorted({*active, *_remembered(storage)})
        storage.write_json(MEMORY, {"active_dags": active})
        paused = change_states(source, active, True)
        # Resume closes first, and then needs the rows that are locked now. So either it is seen here, or it waits for
        # this transaction and puts back what that has paused.
        require_open(storage)
        source.connection.commit()
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
    if (_read(storage, CLOSED) or {"resumed": False})["resumed"]:
        return 0
    # Closed first, even if nothing was paused, and what quiesce has remembered is read after that: a quiesce that
    # remembers later pauses nothing. Resumed last: a try that ends in between is repeated.
    storage.write_json(CLOSED, {"resumed": False})
    resumed = set_paused(source, _remembered(storage), False)
    storage.write_json(CLOSED, {"resumed": True})
    return resumed


def _remembered(storage: Storage) -> List[str]:
    return list((_read(storage, MEMORY) or {"active_dags": []})["active_dags"])


def _read(storage: Storage, name: str) -> Dict[str, Any] | None:
    if storage.size(name) is None:
        return None
    return dict(json.loads(storage.read_bytes(name).decode("utf-8")))


def require_open(storage: Storage) -> None:
    """Raises SourceResumed if the source's DAGs were put back for good."""
    if storage.size(CLOSED) is not None:
        raise SourceResumed(
            "The source's DAGs were put back by a rollback or by the drain's time-out. Start the migration again: it "
            "pauses them anew and makes another artifact."
        )
