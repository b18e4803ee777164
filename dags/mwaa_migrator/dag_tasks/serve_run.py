"""The process beside a scheduler: does what the tasks of one run ask for, until the run has ended.

The plugin starts it with the artifact's URL and the run's id. Several may serve the same run, one for each scheduler
that has been started meanwhile: the lease says which of them works, and another takes over where that one has died. It
ends at once when it finds that the lease is another's.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import uuid
from typing import Any, Callable, Dict

from psycopg2 import sql

from mwaa_migrator.artifact.lease import Lease, renewed
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.dag_tasks.cut_over import CUT_OVER_FOLDER
from mwaa_migrator.dag_tasks.work_process import work_in_process
from mwaa_migrator.errors import DatabaseUnreachable, MigratorError, MissingRight, StorageUnavailable
from mwaa_migrator.in_scheduler.asking import FOLDER, answer_name, read_object, request_name
from mwaa_migrator.postgres.session import fetch_value
from mwaa_migrator.this_airflow.database import metadata_database

#: What the engine does in a target; nothing else is done for anybody.
TASKS = ("import", "verify")

_POLL_SECONDS = 2.0
_RUN_SECONDS = 5.0
_UNFINISHED = "select count(*) from {} where dag_id = {} and run_id = {} and state in ('queued', 'running')"

_log = logging.getLogger("mwaa_migrator")


def serve(storage: S3Storage, run_id: str, has_ended: Callable[[], bool]) -> None:
    """Answer the requests of the run's tasks until ``has_ended``."""
    lease = Lease(storage, FOLDER, uuid.uuid4().hex)
    while not (has_ended() or _is_cut_over(storage, run_id)):
        try:
            for task in TASKS:
                request = _open_request(storage, task, run_id)
                if request is not None:
                    _answer(storage, lease, task, request)
        except (MissingRight, StorageUnavailable) as error:
            # A bucket's policy or a key's grant takes a while to arrive, and is gone when the migration is over.
            _log.warning("no access to the artifact: %s", error)
        time.sleep(_POLL_SECONDS)


def _is_cut_over(storage: S3Storage, run_id: str) -> bool:
    """Whether it is the run of a cut-over, and has done its work: the access to the artifact is revoked soon."""
    if storage.folder != CUT_OVER_FOLDER:
        return False
    try:
        result = read_object(storage, "import.json")
    except (MissingRight, StorageUnavailable):
        return False
    return result is not None and (result["run_id"], result["status"]) == (run_id, "done")


def _open_request(storage: S3Storage, task: str, run_id: str) -> Dict[str, Any] | None:
    request, answer = (read_object(storage, name(task)) for name in (request_name, answer_name))
    if request is None or request["run_id"] != run_id:
        return None
    is_answered = answer is not None and answer["request"] == request["request"]
    return None if is_answered else request


def _answer(storage: S3Storage, lease: Lease, task: str, request: Dict[str, Any]) -> None:
    if not lease.try_to_take(request["request"]):
        return
    _log.info("works on %s for the run %s", task, request["run_id"])
    with renewed(lease, request["request"], _end) as is_held:
        answer: Dict[str, Any] = {"request": request["request"]}
        try:
            answer["result"] = work_in_process(task, storage, request["options"], request["run_id"])
        except MigratorError as error:
            answer["error"] = {"name": error.name, "message": str(error)}
        if is_held():
            storage.write_json(answer_name(task), answer)
    lease.release()


def _end() -> None:
    """End this process, and with it what it has started: the lease may be another's."""
    os._exit(1)


def ends_with_run(run_id: str, dag_id: str) -> Callable[[], bool]:
    """Whether the run is over, asked of the database each 5 seconds; one that does not answer says nothing."""
    asked_at, is_over = float("-inf"), False

    def has_ended() -> bool:
        nonlocal asked_at, is_over
        if time.monotonic() - asked_at >= _RUN_SECONDS:
            asked_at = time.monotonic()
            try:
                with metadata_database() as database:
                    query = sql.SQL(_UNFINISHED).format(
                        database.table("dag_run"), sql.Literal(dag_id), sql.Literal(run_id)
                    )
                    is_over = fetch_value(database.connection, query) == 0
            except DatabaseUnreachable as error:
                _log.warning("does not know whether the run has ended: %s", error)
        return is_over

    return has_ended


def main() -> None:
    url, dag_id, run_id, folder = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="mwaa_migrator_plugin: %(message)s", force=True)
    try:
        storage = open_storage(url)
        assert isinstance(storage, S3Storage)
        serve(storage, run_id, ends_with_run(run_id, dag_id))
    finally:
        # The engine that the plugin has unpacked for this process.
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
