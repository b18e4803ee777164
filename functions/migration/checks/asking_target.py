"""The checks that ask the target itself: what it cannot import, what it has not parsed, how DAGs run there.

A migration makes them before it pauses anything, so there is no history to check yet and no DAG to run. Nor are there
the source's variables and connections: a file that asks for one of them while it is parsed cannot be judged yet.

They take several looks. Finished checks are kept in the attempt's folder; an unfinished one is a warning from the first
look on, so that a report has it whatever happens to the function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypedDict

from migration import wording
from migration.airflow import our_dags, pausing, runs
from migration.airflow.cli import AirflowCli
from migration.checks import check_results, history_and_logs, import_errors, missing_dags, settings_to_come, smoke_test
from migration.checks.check_results import Check, Finding
from migration.checks.import_errors import BrokenFile
from migration.checks.missing_dags import Missing
from migration.checks.source_dags import SourceDags
from migration.errors import CommandFailed, MigrationError
from migration.exchange import layout
from migration.exchange.store import Store
from migration.model import Migration
from migration.observability import logger

IMPORT_ERRORS, MISSING_DAGS, ACTIVE_DAGS = "Import errors", "Missing DAGs", "Active DAGs"
_PART = "target"
# Looks in a row at a web server that does not answer.
_UNANSWERED = 5
# Amazon MWAA looks for new DAG files every five minutes (scheduler.dag_dir_list_interval): what has not changed for
# twice as long will not change.
_SETTLED = 600


class Progress(TypedDict):
    """What earlier looks have found.

    `checks` has those that are done, by name. `adopted` says that the target was there before, with DAGs of its own.
    `seen` is what had not been parsed at the look `since` so many seconds of waiting. `smoke` has a record for each
    DAG, its waiting counted from `smoke_since` on. `unanswered` counts looks in a row without an answer.
    """

    checks: dict[str, Check]
    adopted: bool
    unanswered: int
    seen: list[str]
    since: int
    missing: list[str]
    smoke: list[smoke_test.Record]
    smoke_since: int | None


@dataclass(frozen=True)
class Target:
    """The target: its CLI, the files below its DAG folder, the text of one, and which of them it passes over."""

    cli: AirflowCli
    airflow_version: str
    names: Collection[str]
    read: Callable[[str], str]
    ignored_by: Callable[[str], str | None]


def begin(store: Store, artifact: Store, migration: Migration) -> Progress:
    """The progress so far. The first look gets the comparison, and a warning for each check still to be made."""
    found: Progress | None = store.read(layout.TARGET_CHECKS)
    if found is not None:
        return found
    options = migration["options"]
    progress = Progress(
        checks=_history(store, artifact, migration) if migration["mode"] == "rehearse" else {},
        adopted=migration["adopted"],
        unanswered=0,
        seen=[],
        since=0,
        missing=[],
        smoke=smoke_test.records(options["smokeTest"]),
        smoke_since=None,
    )
    keep(store, progress, "The function that asks the target ended before it was done; its log says why.")
    return progress


def _history(store: Store, artifact: Store, migration: Migration) -> dict[str, Check]:
    verified = artifact.read(layout.result("verify")) or {}
    check = history_and_logs.check(
        verified if verified.get("run_id") == runs.run_id(migration, our_dags.IMPORT) else None,
        store.read(layout.LOGS),
        migration["options"]["logs"]["groups"],
    )
    return {history_and_logs.NAME: check}


def keep(store: Store, progress: Progress, reason: str) -> None:
    """Keeps what is done, and writes the checks; those that are not done warn with a reason."""
    store.write(layout.TARGET_CHECKS, progress)
    done = progress["checks"]
    check_results.write(store, _PART, [done.get(name) or _not_made(name, reason) for name in _names(progress)])


def is_done(progress: Progress) -> bool:
    return all(name in progress["checks"] for name in _names(progress))


def look(
    progress: Progress,
    target: Target,
    store: Store,
    known: SourceDags,
    migration: Migration,
    waited: int,
) -> bool:
    """Does what can be done now. True: every check is made, or cannot be.

    Args:
        known: what the source knows.
        waited: seconds of waiting since the first look.

    Whatever the target refuses ends as a warning.
    """
    try:
        if IMPORT_ERRORS not in progress["checks"]:
            _parse(progress, target, known, migration, waited)
        if IMPORT_ERRORS in progress["checks"] and progress["smoke"]:
            _smoke(progress, target, store, migration, waited)
        progress["unanswered"] = 0
    except MigrationError as error:
        logger.warning("the target could not be asked", extra={"error_message": str(error)})
        progress["unanswered"] += 1
        if progress["unanswered"] >= _UNANSWERED:
            _give_up(progress, f"The target does not answer: {error}")
    keep(store, progress, "The checks had not ended.")
    return is_done(progress)


def give_up(progress: Progress, store: Store, reason: str) -> None:
    """Ends the checks with a warning for each that is not made."""
    _give_up(progress, reason)
    keep(store, progress, reason)


def _give_up(progress: Progress, reason: str) -> None:
    for name in _names(progress):
        progress["checks"].setdefault(name, _not_made(name, reason))


def _names(progress: Progress) -> Sequence[str]:
    """The checks in the order in which they are made and reported."""
    first = [history_and_logs.NAME] if history_and_logs.NAME in progress["checks"] else []
    own = [ACTIVE_DAGS] if progress["adopted"] else []
    return [*first, IMPORT_ERRORS, MISSING_DAGS, *own, *([smoke_test.NAME] if progress["smoke"] else [])]


def _not_made(name: str, reason: str) -> Check:
    return Check(
        name=name,
        result="warn",
        message=f"This could not be checked. {reason}",
        remedy="Look at the web server and at the function's log, and rehearse again.",
    )


# What the target has parsed.


def _parse(progress: Progress, target: Target, known: SourceDags, migration: Migration, waited: int) -> None:
    """Makes the checks of import errors and of missing DAGs, unless there is still something to be parsed."""
    errors, listed = target.cli.import_errors(), target.cli.dags()
    if errors is None or listed is None:
        command = "list-import-errors" if errors is None else "list"
        raise CommandFailed(f"`airflow dags {command}` failed in the target. Look at the web server's log group.")
    broken = import_errors.read(errors, target.names, target.airflow_version)
    parsed = {str(dag["dag_id"]) for dag in listed}
    dags = known["dags"]
    missing = missing_dags.of(dags or [], parsed, broken, target.names, target.ignored_by)
    open_ = [dag.dag_id for dag in missing if not dag.reason]
    if open_ and not _await_parsing(progress, open_, waited, migration["options"]["parseTimeoutSeconds"]):
        return
    progress["missing"] = [dag.dag_id for dag in missing]
    if progress["adopted"]:
        ids = {dag["dag_id"] for dag in dags or []}
        progress["checks"][ACTIVE_DAGS] = _active_dags(sorted(ids & pausing.active(listed)))
    coming = [one for one in broken if settings_to_come.may_be_cause(one, known, target.names, target.read)]
    progress["checks"][IMPORT_ERRORS] = _import_errors(broken, coming, known, target)
    progress["checks"][MISSING_DAGS] = (
        _not_made(MISSING_DAGS, "Which DAGs the source knows could not be read.")
        if dags is None
        else _missing_dags(missing, broken, coming, known, len(dags))
    )


def _await_parsing(progress: Progress, open_: list[str], waited: int, limit: int) -> bool:
    """Notes what is not parsed yet. Returns whether the wait is over: nothing changes any more, or time is up."""
    if open_ != progress["seen"]:
        progress["seen"], progress["since"] = open_, waited
    return waited >= limit or waited - progress["since"] >= _SETTLED


def _import_errors(
    broken: Sequence[BrokenFile], coming: Collection[BrokenFile], known: SourceDags, target: Target
) -> Check:
    if not broken:
        return Check(
            name=IMPORT_ERRORS, result="pass", message=f"Airflow {target.airflow_version} can import every DAG file."
        )
    old = [one for one in broken if one.file in known["broken_files"]]
    waiting = [one for one in coming if one not in old]
    new = [one for one in broken if one not in old and one not in waiting]
    message = f"Airflow {target.airflow_version} cannot import {wording.counted(len(broken), 'DAG file')}"
    if old:
        message += f", {wording.count(len(old))} of which the source cannot import either"
    if waiting:
        perhaps = "" if all(settings_to_come.are_cause(one, known) for one in waiting) else "perhaps "
        message += (
            f", {wording.count(len(waiting))} {perhaps}for want of a variable or connection that the import brings"
        )
    return Check(
        name=IMPORT_ERRORS,
        result="fail" if new else "warn",
        message=f"{message}.",
        remedy="Correct each file as it says there; its DAGs do not run in the target until then.",
        findings=[
            Finding(file=one.place, line=one.line, message=one.message, remedy=remedy, detail=one.trace)
            for one in [*new, *waiting, *old]
            for remedy in [settings_to_come.remedy(one, known) if one in waiting else one.remedy]
        ],
    )


def _missing_dags(
    missing: Sequence[Missing],
    broken: Sequence[BrokenFile],
    coming: Collection[BrokenFile],
    known: SourceDags,
    count: int,
) -> Check:
    if not missing:
        return Check(
            name=MISSING_DAGS,
            result="pass",
            message=f"The target has parsed each of the {wording.counted(count, 'DAG')} that the source knows.",
        )
    by_file = {one.file: one for one in broken}
    # What a file makes of settings that are not there yet, nobody can tell.
    settings_come = bool(known["variables"] or known["connections"])

    def waits(dag: Missing) -> bool:
        error = by_file.get(dag.file)
        return error in coming if error is not None else not dag.reason and settings_come

    waiting = [dag for dag in missing if waits(dag)]
    old = [dag for dag in missing if dag not in waiting and dag.file in known["broken_files"]]
    new = [dag for dag in missing if dag not in waiting and dag not in old]
    message = (
        f"The target has not parsed {wording.count(len(missing))} of the {wording.counted(count, 'DAG')} that the "
    )
    message += "source knows"
    if waiting:
        message += (
            f", {wording.count(len(waiting))} of which may depend on variables or connections that the import brings"
        )
    return Check(
        name=MISSING_DAGS,
        result="fail" if new else "warn",
        message=f"{message}.",
        remedy="Fix what the reason names; the history of these DAGs is in the target, but they do not run there.",
        findings=[*map(_finding, new), *map(_waiting_finding, waiting), *map(_finding, old)],
    )


def _active_dags(both: Sequence[str]) -> Check:
    """That an adopted target runs none of the source's DAGs yet, which would run in both until the cut-over."""
    if not both:
        return Check(name=ACTIVE_DAGS, result="pass", message="None of the source's DAGs is active in the target.")
    return Check(
        name=ACTIVE_DAGS,
        result="fail",
        message=f"{wording.counted(len(both), 'DAG')} that the source has is active in the target already."
        if len(both) == 1
        else f"{len(both)} DAGs that the source has are active in the target already.",
        remedy="Pause them there: the cut-over makes those active that are active in the source.",
        findings=[Finding(dag=dag, message="It is active in the target before the cut-over.") for dag in both],
    )


def _finding(dag: Missing) -> Finding:
    reason = dag.reason or (
        "Its file is there and can be imported, but does not define this DAG, or has not been parsed yet."
    )
    remedy = dag.remedy or "Look at what the file depends on: variables, connections, other files, the date."
    return Finding(dag=dag.dag_id, file=dag.file or None, message=reason, remedy=remedy)


def _waiting_finding(dag: Missing) -> Finding:
    remedy = "Look for it after the import, which brings the source's variables and connections."
    return {**_finding(dag), "remedy": remedy}


# How DAGs run.


def _smoke(progress: Progress, target: Target, store: Store, migration: Migration, waited: int) -> None:
    since = progress["smoke_since"]
    if since is None:
        since = progress["smoke_since"] = waited
    minutes = migration["options"]["smokeTestMinutes"]
    ended = smoke_test.look(
        target.cli,
        progress["smoke"],
        f"mwaa_migrator_smoke_test__{migration['artifactId']}",
        lambda: store.write(layout.TARGET_CHECKS, progress),
        last=waited - since >= minutes * 60,
        missing=set(progress["missing"]),
    )
    if ended:
        progress["checks"][smoke_test.NAME] = smoke_test.check(progress["smoke"], minutes)
