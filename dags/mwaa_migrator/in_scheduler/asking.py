"""A task that asks a scheduler for its work: the request, and waiting for the answer."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any, Callable, Dict

from mwaa_migrator import errors
from mwaa_migrator.artifact import lease
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import DatabaseOutOfReach, WorkerDied

#: The folder beside the manifest that has requests, answers and the lease.
FOLDER = "in-scheduler"

#: How long a scheduler may take to begin. One that has to be replaced first takes Amazon MWAA a few minutes.
TAKEN_WITHIN_SECONDS = 300.0
#: How long a holder may be silent. It is longer than a lease, so that another can take over.
SILENCE_SECONDS = 300.0

_POLL_SECONDS = 2.0
_SAY_EACH_SECONDS = 60.0

_log = logging.getLogger(__name__)


def request_name(task: str) -> str:
    return f"{FOLDER}/{task}.request.json"


def answer_name(task: str) -> str:
    return f"{FOLDER}/{task}.answer.json"


def work_in_scheduler(
    name: str, storage: Storage, options: Dict[str, Any], run_id: str, clock: Callable[[], float] = time.monotonic
) -> Dict[str, Any]:
    """What the work of the task ``name`` returns.

    Raises what it raises, DatabaseOutOfReach if no scheduler takes the request, and WorkerDied if the one that took it
    is not heard of any more.
    """
    if not isinstance(storage, S3Storage):
        raise DatabaseOutOfReach(f"A scheduler works on artifacts in S3 only, and this one is {storage.url}.")
    request = uuid.uuid4().hex
    content = {"request": request, "task": name, "options": options, "run_id": run_id}
    storage.write_json(request_name(name), content)
    _log.info("asked a scheduler of this Airflow for the work of %s", name)
    began = heard = said = clock()
    is_taken, tag = False, None
    while True:
        answer = read_object(storage, answer_name(name))
        if answer is not None and answer["request"] == request:
            return _result(answer)
        seen, now = lease.look(storage, FOLDER), clock()
        if seen is not None and seen.tag != tag:
            # It may still work for an earlier try of this task, and come to this request after that.
            is_taken, tag, heard = is_taken or bool(seen.holder), seen.tag, now
        if not is_taken and now - began >= TAKEN_WITHIN_SECONDS:
            raise DatabaseOutOfReach(
                f"No scheduler of this Airflow has taken the work within {TAKEN_WITHIN_SECONDS:.0f} s, although the "
                "target should have our plugin. Nothing was read or written. Look for mwaa_migrator_plugin in the "
                "scheduler's log."
            )
        if is_taken and now - heard >= SILENCE_SECONDS:
            raise WorkerDied(f"The scheduler that worked on {name} has been silent for {now - heard:.0f} s. Try again.")
        if now - said >= _SAY_EACH_SECONDS:
            _log.info("%s: %s for %.0f s", name, "a scheduler works on it" if is_taken else "waiting", now - began)
            said = now
        time.sleep(_POLL_SECONDS)


def read_object(storage: S3Storage, name: str) -> Dict[str, Any] | None:
    """A JSON object; None if there is none."""
    found = storage.read_tagged(name)
    return None if found is None else dict(json.loads(found.content))


def _result(answer: Dict[str, Any]) -> Dict[str, Any]:
    if "error" in answer:
        raise getattr(errors, answer["error"]["name"])(answer["error"]["message"])
    return dict(answer["result"])
