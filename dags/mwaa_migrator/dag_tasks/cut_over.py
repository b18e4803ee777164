"""Cut over: the target's DAGs that were active in the source become active, all in one statement.

The run may be started long before. It waits for its request, an object beside its result that names the DAGs, so that
no start of a command or a worker is part of the downtime. Whoever makes the request may *withdraw* it, to unpause the
DAGs in another way or not at all. It is read again right before the commit, after all that takes time, and this task
notes that it has begun before it reads it first. So whoever withdraws it and finds no such note knows that this task
unpauses nothing; and if there is one, that it does within a moment or not at all.

A second run of the task unpauses nothing, whatever somebody has paused since: the receipt is committed together with
the pause states (``merge/receipts.py``).
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks.dag_states import catch_up_schedules, change_states, unknown_dags
from mwaa_migrator.errors import CutOverNotRequested, CutOverWithdrawn
from mwaa_migrator.merge.receipts import find_cut_over, note_cut_over
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database
from mwaa_migrator.this_airflow.place import session_name

#: Where the run leaves its objects, below the artifact.
CUT_OVER_FOLDER = "cut-over"
#: ``{"run_id"}``: the run whose task has begun to wait.
BEGUN = "begun.json"
#: ``{"dags": [dag_id], "withdrawn": None or the reason}``.
REQUEST = "request.json"

#: As long as an import may take by default (``options.dagRunTimeoutSeconds``).
_WAIT_SECONDS = 21_600.0
_POLL_SECONDS = 1.0


def cut_over(storage: Storage, progress: Progress, run_id: str) -> Dict[str, Any]:
    """Wait for the request and do what it asks for, once.

    Returns ``{"dags", "unpaused", "schedules_moved", "unknown", "way_in"}``: how many DAGs were named, how many were
    paused before, for how many the schedule stood before their last run, and the ids of those whose file this Airflow
    has not seen. Raises DagsLocked, CutOverNotRequested or CutOverWithdrawn; nothing was changed then.
    """
    storage.write_json(BEGUN, {"run_id": run_id})
    dags = wait_for_request(storage, progress)
    with metadata_database(session_name("cut over", run_id)) as target, progress.phase("unpause"):
        result = _unpause(target, storage, dags, run_id)
        return dict(result, way_in=target.place.way_in)


def _unpause(target: MetadataDatabase, storage: Storage, dags: List[str], run_id: str) -> Dict[str, Any]:
    unpaused = change_states(target, dags, False)
    # After the rows were locked: an earlier try of this task may have been at work until then.
    done = find_cut_over(target.connection, run_id)
    if done is not None:
        return done
    result = {
        "dags": len(dags),
        "unpaused": unpaused,
        "schedules_moved": catch_up_schedules(target, dags),
        "unknown": unknown_dags(target, dags),
    }
    note_cut_over(target.connection, run_id, result)
    _read_request(storage)
    target.connection.commit()
    return result


def wait_for_request(storage: Storage, progress: Progress, clock: Callable[[], float] = time.monotonic) -> List[str]:
    """The DAGs to unpause; raises CutOverNotRequested after six hours, and CutOverWithdrawn."""
    begun = clock()
    progress.say("cut over: waiting for the request")
    while True:
        request = _read_request(storage)
        if request is not None:
            return list(request["dags"])
        if clock() - begun > _WAIT_SECONDS:
            raise CutOverNotRequested(
                f"Nobody has asked for the cut-over within {_WAIT_SECONDS:.0f} s. No DAG was unpaused. Start the "
                "migration again with the same input."
            )
        time.sleep(_POLL_SECONDS)


def _read_request(storage: Storage) -> Dict[str, Any] | None:
    """The request, or None if there is none yet; raises CutOverWithdrawn."""
    if storage.size(REQUEST) is None:
        return None
    request = dict(json.loads(storage.read_bytes(REQUEST).decode("utf-8")))
    if request["withdrawn"] is not None:
        raise CutOverWithdrawn(
            "The request to unpause the DAGs was withdrawn ({}), so this run unpauses none.".format(
                request["withdrawn"]
            )
        )
    return request
