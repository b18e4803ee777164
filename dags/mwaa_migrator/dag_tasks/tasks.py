"""The DAGs' tasks: what they read from the DAG run's conf, and the result objects that they leave beside the manifest.

A result is written when a task fails as well, so that whoever triggered the DAG reads the error's name and message from
S3 and needs no web server.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple

from mwaa_migrator.artifact.manifest import check_id
from mwaa_migrator.artifact.storage import Storage, open_storage
from mwaa_migrator.copying.workers import MOST_JOBS, default_jobs
from mwaa_migrator.errors import DrainTimedOut, InvalidArguments, MigratorError, Refused, SourceResumed
from mwaa_migrator.export.export_artifact import ExportOptions, export, summary
from mwaa_migrator.merge.import_artifact import ImportOptions, import_artifact
from mwaa_migrator.merge.pause_states import CHOICES, active_dags, running_tasks, set_paused
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow import database as airflow_database
from mwaa_migrator.verify.verify_import import verify_import

_log = logging.getLogger(__name__)

#: What quiesce remembers, and resume puts back.
ACTIVE_DAGS = "active_dags.json"

_DRAIN_POLL_SECONDS = 5


class _Option(NamedTuple):
    default: Any
    valid: Callable[[Any], bool]
    means: str


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_BOOLEAN = (lambda value: isinstance(value, bool), "true or false")
_EXPORT_OPTIONS = {
    "historyDays": _Option(
        None, lambda value: value is None or _is_count(value), "null or a number of days, 1 or more"
    ),
    "dags": _Option(".*", lambda value: isinstance(value, str), "a regular expression"),
    "xcoms": _Option(True, *_BOOLEAN),
    "tables": _Option(None, lambda value: value is None or _is_names(value), "null or a list of tables"),
    "excludeTables": _Option([], _is_names, "a list of tables"),
    "jobs": _Option(None, lambda v: v is None or (_is_count(v) and v <= MOST_JOBS), f"null or 1 to {MOST_JOBS}"),
    "skipUndecryptable": _Option(False, *_BOOLEAN),
    "quiesce": _Option(False, *_BOOLEAN),
    "drainSeconds": _Option(900, lambda v: _is_count(v) or (v == 0 and v is not False), "a number of seconds"),
    "drainPolicy": _Option("fail", lambda value: value in ("fail", "abandon", "wait"), "fail, abandon or wait"),
}
_IMPORT_OPTIONS = {
    "onConflict": _Option("keep", lambda v: v in ("keep", "overwrite", "fail"), "keep, overwrite or fail"),
    "pauseState": _Option("keep", lambda value: value in CHOICES, "one of " + ", ".join(CHOICES)),
    "jobs": _EXPORT_OPTIONS["jobs"],
}


def read_conf(conf: Any, known: Mapping[str, _Option]) -> tuple[str, dict[str, Any]]:
    """The artifact's URL and the options with their defaults; raises InvalidArguments with all faults."""
    faults: list[str] = []
    if not isinstance(conf, dict):
        faults.append("it must be an object with artifact and options")
        conf = {}
    artifact = conf.get("artifact")
    if not isinstance(artifact, str) or not artifact:
        faults.append("artifact must be the URL of the artifact's folder")
        artifact = ""
    given = conf.get("options") or {}
    if not isinstance(given, dict):
        faults.append("options must be an object")
        given = {}
    options = {name: option.default for name, option in known.items()}
    for name, value in sorted(given.items()):
        if name not in known:
            faults.append("there is no option {}; there are {}".format(name, ", ".join(sorted(known))))
        elif not known[name].valid(value):
            faults.append(f"{name} must be {known[name].means}, not {json.dumps(value)}")
        else:
            options[name] = value
    if faults:
        raise InvalidArguments("The DAG run's conf is wrong: {}.".format("; ".join(faults)))
    return artifact.rstrip("/"), options


Work = Callable[[Storage, Dict[str, Any], Progress], Dict[str, Any]]


def _run(command: str, known: Mapping[str, _Option], context: Mapping[str, Any], work: Work) -> None:
    """Do ``work`` and write ``<command>.json``; a refusal fails the task without a retry."""
    dag_run = context["dag_run"]
    begun = time.monotonic()
    result: dict[str, Any] = {"command": command, "run_id": dag_run.run_id, "status": "failed"}
    storage: Storage | None = None
    try:
        # First, so that a fault in the options is told there as well.
        storage = _storage(dag_run.conf)
        artifact, options = read_conf(dag_run.conf, known)
        assert storage is not None
        check_id(artifact.rsplit("/", 1)[-1])
        result.update(work(storage, options, Progress()))
        result.update(status="done", error=None)
    except MigratorError as error:
        _log.error("%s: %s", error.name, error)
        result["error"] = {"name": error.name, "message": str(error)}
        # After a drain's time-out the DAGs run again: another try would take the first quiet moment for the end of it.
        if isinstance(error, (Refused, InvalidArguments, DrainTimedOut)):
            raise _final_failure()(str(error)) from error
        raise
    except BaseException as error:
        # Airflow raises in a task that it kills; whoever waits for the result must learn of it.
        result["error"] = {"name": type(error).__name__, "message": f"The task {command} ended: {error}"}
        raise
    finally:
        result["seconds"] = round(time.monotonic() - begun, 3)
        if storage is not None:
            storage.write_json(command + ".json", result)


def _storage(conf: Any) -> Storage | None:
    """Where the artifact lies, as far as the conf says so."""
    artifact = conf.get("artifact") if isinstance(conf, dict) else None
    return open_storage(artifact.rstrip("/")) if artifact and isinstance(artifact, str) else None


def _final_failure() -> Any:
    from airflow.exceptions import AirflowFailException

    return AirflowFailException


def quiesce(**context: Any) -> None:
    """Pause every DAG but ours and remember which were active, before the first is paused."""

    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        if not options["quiesce"]:
            return {"active_dags": [], "paused": 0}
        connection = airflow_database.connect()
        try:
            schema = airflow_database.airflow_schema(connection)
            # Tried again after some DAGs were paused, what the first try saw counts.
            remembered = _require_open(storage)["active_dags"]
            active = sorted({*active_dags(connection, schema), *remembered})
            storage.write_json(ACTIVE_DAGS, {"active_dags": active, "closed": False, "resumed": False})
            paused = set_paused(connection, schema, active, True)
            try:
                _require_open(storage)
            except SourceResumed:
                set_paused(connection, schema, active, False)
                raise
            return {"active_dags": active, "paused": paused}
        finally:
            connection.close()

    _run("quiesce", _EXPORT_OPTIONS, context, work)


def _memory(storage: Storage) -> dict[str, Any]:
    if storage.size(ACTIVE_DAGS) is None:
        return {"active_dags": [], "closed": False, "resumed": False}
    return dict(json.loads(storage.read_bytes(ACTIVE_DAGS).decode("utf-8")))


def _require_open(storage: Storage) -> dict[str, Any]:
    """The memory, unless the source was put back: a task that waited for a worker can begin after a roll back."""
    memory = _memory(storage)
    if memory["closed"]:
        raise SourceResumed(
            "The source's DAGs were put back by a roll back or by the drain's time-out. Start the migration again: it "
            "pauses them anew and makes another artifact."
        )
    return memory


def drain(**context: Any) -> None:
    """Wait until no task runs; at the end of the time put the DAGs back and fail, unless told to go on."""

    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        if not options["quiesce"]:
            return {"running": 0, "waited_seconds": 0}
        connection = airflow_database.connect()
        try:
            schema = airflow_database.airflow_schema(connection)
            begun = time.monotonic()
            while True:
                running = running_tasks(connection, schema)
                waited = round(time.monotonic() - begun, 1)
                if not running or (waited >= options["drainSeconds"] and options["drainPolicy"] != "wait"):
                    break
                progress.say(f"drain: {running} task instances still run")
                time.sleep(_DRAIN_POLL_SECONDS)
            if running and options["drainPolicy"] == "fail":
                resumed = _resume(connection, schema, storage)
                message = (
                    "{} task instances still ran after {} s, so the {} paused DAGs were put back. Give a longer "
                    "drainSeconds, start when less runs, or leave them unfinished with drainPolicy abandon."
                )
                raise DrainTimedOut(message.format(running, waited, resumed))
            return {"running": running, "waited_seconds": waited}
        finally:
            connection.close()

    _run("drain", _EXPORT_OPTIONS, context, work)


def export_task(**context: Any) -> None:
    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        if options["quiesce"]:
            _require_open(storage)
        export_options = ExportOptions(
            options["historyDays"],
            options["dags"],
            options["tables"],
            options["excludeTables"] + ([] if options["xcoms"] else ["xcom"]),
            options["jobs"] or default_jobs(),
            options["skipUndecryptable"],
        )
        migration_id = storage.url.rsplit("/", 1)[-1]
        return summary(storage, export(storage, migration_id, export_options, progress))

    _run("export", _EXPORT_OPTIONS, context, work)


def import_task(**context: Any) -> None:
    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        import_options = ImportOptions(options["onConflict"], options["pauseState"], options["jobs"] or default_jobs())
        return import_artifact(storage, import_options, progress)

    _run("import", _IMPORT_OPTIONS, context, work)


def verify_task(**context: Any) -> None:
    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        return verify_import(storage, options["jobs"] or default_jobs(), progress)

    _run("verify", _IMPORT_OPTIONS, context, work)


def resume(**context: Any) -> None:
    """Put the DAGs back that quiesce paused; doing it twice changes nothing."""

    def work(storage: Storage, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        connection = airflow_database.connect()
        try:
            return {"resumed": _resume(connection, airflow_database.airflow_schema(connection), storage)}
        finally:
            connection.close()

    _run("resume", {}, context, work)


def _resume(connection: Any, schema: str, storage: Storage) -> int:
    memory = _memory(storage)
    remembered = [] if memory["resumed"] else memory["active_dags"]
    # Closed first, also where nothing was paused: a quiesce that has not begun yet pauses nothing any more. Resumed
    # last: a try that ends in between is made again.
    storage.write_json(ACTIVE_DAGS, {**memory, "closed": True})
    resumed = set_paused(connection, schema, remembered, False)
    storage.write_json(ACTIVE_DAGS, {**memory, "closed": True, "resumed": True})
    return resumed
