"""The tasks of our DAGs, by name, and the result objects that they leave beside the manifest.

A failed task writes a result too, so that whoever triggered the DAG reads the error's name and message from S3 and
needs no web server.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple

from mwaa_migrator.artifact.artifact import read_artifact, summary
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.manifest import MANIFEST, check_id
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks.conf import artifact_url, read_options
from mwaa_migrator.dag_tasks.cut_over import CUT_OVER_FOLDER, cut_over
from mwaa_migrator.dag_tasks.quiesce import drain, quiesce, read_open_memory, resume
from mwaa_migrator.dag_tasks.work_process import work_in_process
from mwaa_migrator.errors import (
    DatabaseOutOfReach,
    DatabaseUnreachable,
    DrainTimedOut,
    InvalidArguments,
    MigratorError,
    MissingRight,
    Refused,
    SourceChanged,
    StorageUnavailable,
    StorageUnreachable,
)
from mwaa_migrator.export.compare_source import compare_source, require_unchanged
from mwaa_migrator.export.export_artifact import export
from mwaa_migrator.export.export_options import export_options
from mwaa_migrator.export.source_check import check_source
from mwaa_migrator.export.summing import Summing, options_of_delta
from mwaa_migrator.in_scheduler.asking import work_in_scheduler
from mwaa_migrator.merge.give_dag_versions import give_dag_versions
from mwaa_migrator.merge.import_artifact import import_artifact, import_options
from mwaa_migrator.merge.prepare_hop import prepare_hop
from mwaa_migrator.merge.target_probe import probe_target
from mwaa_migrator.options import ABANDON, EXPORT_OPTIONS, IMPORT_OPTIONS, PLUGIN, WORKER, Option, default_processes
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.worker_environment import is_airflow_kept_out
from mwaa_migrator.verify.verify_import import verify_import

_log = logging.getLogger(__name__)

Work = Callable[[Storage, Dict[str, Any], Progress, str], Dict[str, Any]]


class Task(NamedTuple):
    """``options`` are those of its DAG; ``work`` gets their values and the run's id, and returns the result."""

    options: Mapping[str, Option]
    work: Work


def _quiesce(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    return quiesce(storage, options, progress)


def _drain(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    return drain(storage, options, progress)


def _resume(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    return resume(storage, options, progress)


def _export(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    if options["probe"]:
        return check_source(export_options(options), progress)
    if options["quiesce"]:
        read_open_memory(storage)
    if storage.size(MANIFEST) is not None and storage.size("export.json") is None:
        # A try has died between the artifact's last object and its result.
        return summary(read_artifact(storage))
    chosen, summing = export_options(options), Summing() if options["asBase"] else None
    if options["deltaOf"] is not None:
        followed = read_artifact(open_storage(options["deltaOf"]))
        chosen, summing = options_of_delta(followed, chosen.processes), Summing(followed)
    return summary(export(storage, storage.folder, chosen, progress, summing))


def _compare(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    """Of a source that was paused for a delta: after that nothing may have changed. It runs beside the import."""
    if not options["quiesce"] or options["deltaOf"] is None:
        return {}
    result = compare_source(read_artifact(storage), options["jobs"] or default_processes(), progress)
    # Tasks that were left running write on, as somebody has asked for.
    if options["drainPolicy"] != ABANDON:
        require_unchanged(result)
    return result


def _import(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    if options["probe"]:
        return probe_target(storage, progress)
    if options["cutOver"]:
        return cut_over(storage, progress, run_id)
    if options["dagVersions"]:
        return give_dag_versions(progress)
    return import_artifact(storage, import_options(options), progress, run_id)


def _verify(storage: Storage, options: Dict[str, Any], progress: Progress, run_id: str) -> Dict[str, Any]:
    if options["probe"] or options["dagVersions"]:
        return {}
    result = verify_import(storage, options["jobs"] or default_processes(), progress, run_id)
    if options["hopVersion"] and result["verified"]:
        result.update(prepare_hop(options["hopVersion"], options["pickledXComs"], progress, run_id))
    return result


TASKS: Mapping[str, Task] = {
    "quiesce": Task(EXPORT_OPTIONS, _quiesce),
    "drain": Task(EXPORT_OPTIONS, _drain),
    "export": Task(EXPORT_OPTIONS, _export),
    "compare": Task(EXPORT_OPTIONS, _compare),
    "import": Task(IMPORT_OPTIONS, _import),
    "verify": Task(IMPORT_OPTIONS, _verify),
    "resume": Task({}, _resume),
}


def run_task(name: str, context: Mapping[str, Any]) -> None:
    """Do a task in Airflow and leave its result; a refusal that stays fails the task without a retry."""
    dag_run = context["dag_run"]
    if name == "verify" and (artifact_url(dag_run.conf) or "").endswith("/" + CUT_OVER_FOLDER):
        # It has nothing to do, and the access to the artifact may be revoked by now: the migration is over.
        return
    try:
        do_task(name, dag_run.conf, dag_run.run_id, _work)
    except MigratorError as error:
        if is_final(error):
            raise _final_failure()(str(error)) from error
        raise


def do_task(
    name: str,
    conf: Any,
    run_id: str,
    work: Callable[[str, Storage, Dict[str, Any], str], Dict[str, Any]],
    leaves_failure: Callable[[MigratorError], bool] = lambda error: True,
) -> None:
    """Do a task and leave its result, ``<name>.json`` beside the manifest; raises what its work raises.

    ``work`` gets the task's name, the artifact's place, the options and the run's id. A failure leaves a result too,
    unless ``leaves_failure`` denies it.
    """
    begun = time.monotonic()
    result: dict[str, Any] = {"command": name, "run_id": run_id, "status": "failed"}
    storage: Storage | None = None
    leaves = True
    try:
        url = artifact_url(conf)
        # First, so that problems of the options are in the result as well.
        storage = open_storage(url) if url else None
        options = read_options(conf, TASKS[name].options)
        assert storage is not None
        check_id(storage.folder)
        result.update(work(name, storage, options, run_id))
        result.update(status="done", error=None)
    except MigratorError as error:
        _log.error("%s: %s", error.name, error)
        result["error"] = {"name": error.name, "message": str(error)}
        leaves = leaves_failure(error)
        raise
    except BaseException as error:
        # Airflow raises in a task that it kills; whoever waits for the result must learn of it.
        result["error"] = {"name": type(error).__name__, "message": f"The task {name} ended: {error}"}
        raise
    finally:
        result["seconds"] = round(time.monotonic() - begun, 3)
        if storage is not None and leaves:
            _leave(storage, name, result)


def _work(name: str, storage: Storage, options: Dict[str, Any], run_id: str) -> Dict[str, Any]:
    """In a task of Airflow."""
    if is_airflow_kept_out(os.environ):
        return _work_kept_out(name, storage, options, run_id)
    return TASKS[name].work(storage, options, Progress(), run_id)


def _work_kept_out(name: str, storage: Storage, options: Dict[str, Any], run_id: str) -> Dict[str, Any]:
    """Of a task that Airflow 3 keeps out of the database."""
    way_in = options.get("wayIn", WORKER)
    if way_in == PLUGIN:
        return work_in_scheduler(name, storage, options, run_id)
    try:
        return work_in_process(name, storage, options, run_id)
    except DatabaseOutOfReach as error:
        if way_in == WORKER:
            raise
        _log.info("%s", error)
        try:
            return work_in_scheduler(name, storage, options, run_id)
        except DatabaseOutOfReach as also:
            raise DatabaseOutOfReach(f"{error} {also}") from also


def is_final(error: MigratorError) -> bool:
    """Whether another try would end in the same way."""
    if isinstance(error, (DatabaseUnreachable, MissingRight, StorageUnavailable)):
        # They may answer in half a minute, and a bucket's policy or a key's grant may have arrived by then, unless the
        # network is in the way.
        return isinstance(error, StorageUnreachable)
    # After a drain's time-out the DAGs run again: another try would take the first quiet moment for the end of it. And
    # what has changed in a paused source stays changed.
    return isinstance(error, (Refused, InvalidArguments, DrainTimedOut, SourceChanged))


def _leave(storage: Storage, name: str, result: Dict[str, Any]) -> None:
    try:
        storage.write_json(name + ".json", result)
    except StorageUnreachable as error:
        # Nobody but the task's log will tell, and another try takes as long again.
        _log.error("%s: %s", error.name, error)
        raise


def _final_failure() -> Any:
    from airflow.exceptions import AirflowFailException

    return AirflowFailException
