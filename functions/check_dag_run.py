"""CheckRun: how far a run of ours is.

What it did is read from S3; whether it is alive, from the CLI. The results of the delta's runs, for which the source's
DAGs may be paused, are waited for in here, whatever the input says of polling.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from migration import errors, waiting
from migration.airflow import our_dags, runs
from migration.airflow.cli import RunState
from migration.aws import clients
from migration.checks import check_results, source_database, target_database
from migration.exchange import chain
from migration.exchange.store import of_artifact, of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress

# How long a call waits for a result of the delta's runs, of the three minutes that it has, and how often it looks. The
# CLI may take the rest.
SECONDS = 90.0
_EVERY = 2.0


@dataclass(frozen=True, kw_only=True)
class DagRunProgress(Progress):
    """`tasks` has the states of the run's tasks, by their ids. `next` is the run that comes after it; empty where
    another state does."""

    tasks: dict[str, str]
    next: str


@state
def handler(*, migration: Migration, dag: str, waited_seconds: int) -> DagRunProgress:
    """`dag` names the run (`migration.airflow.runs`)."""
    run = runs.run_id(migration, dag)
    following = runs.after(migration, dag)
    is_delta = dag in (our_dags.EXPORT, our_dags.IMPORT, our_dags.COMPARE)
    found, waited = _look(migration, dag, run, seconds=SECONDS if is_delta else 0.0)
    waited_seconds += waited
    if runs.is_complete(dag, found):
        _end(migration, dag, found)
        return DagRunProgress(**vars(waiting.ready(waited_seconds)), tasks={}, next=following)
    if runs.step_of(dag) == our_dags.BASE and chain.has_base(of_migration(clients.s3(), migration)):
        # An earlier attempt's.
        return DagRunProgress(**vars(waiting.ready(waited_seconds)), tasks={}, next=following)
    run_state = _state_of(migration, dag, run, failed=runs.failure(found) is not None)
    # The run may have ended between the two looks.
    found = runs.results(of_artifact(clients.s3(), migration), dag, run)
    if runs.is_complete(dag, found):
        _end(migration, dag, found)
        return DagRunProgress(**vars(waiting.ready(waited_seconds)), tasks=run_state.tasks, next=following)
    try:
        runs.judge(dag, run, run_state, found)
    except errors.MigrationError as failure:
        if dag == our_dags.TARGET_PROBE and runs.failure(found) is not None:
            raise target_database.explained(migration, failure) from failure
        raise
    logger.info("running", extra={"dag": dag, "tasks": run_state.tasks})
    limit = migration["options"]["dagRunTimeoutSeconds"]
    progress = waiting.not_ready(
        waited_seconds,
        seconds=1 if is_delta else migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.DagRunTimedOut(
            f"{dag}: run {run} has not ended after {limit} s (tasks: {run_state.tasks or 'unknown'}). Look at its task "
            "logs; options.dagRunTimeoutSeconds gives it longer."
        ),
    )
    return DagRunProgress(**vars(progress), tasks=run_state.tasks, next="")


def _look(migration: Migration, dag: str, run: str, seconds: float) -> tuple[dict[str, dict[str, Any]], int]:
    """The run's results as soon as it is complete or one has failed, or those after so many seconds; and the seconds
    waited."""
    artifact, begun = of_artifact(clients.s3(), migration), time.monotonic()
    while True:
        found, waited = runs.results(artifact, dag, run), time.monotonic() - begun
        if waited >= seconds or runs.is_complete(dag, found) or runs.failure(found) is not None:
            return found, round(waited)
        time.sleep(_EVERY)


def _end(migration: Migration, dag: str, found: dict[str, dict[str, Any]]) -> None:
    """Ends the phase. What a probe found is kept for the report, and stops a migration as it would stop its export."""
    store = of_attempt(clients.s3(), migration)
    store.end_phase(runs.phase_of(dag))
    if dag == our_dags.PROBE:
        check_results.write(store, "source_database", [source_database.check(found["export"])])
        source_database.require_exportable(found["export"])
    elif dag == our_dags.TARGET_PROBE:
        check_results.write(store, "target_database", [target_database.check(found["import"])])


def _state_of(migration: Migration, dag: str, run: str, *, failed: bool) -> RunState:
    """The state that the CLI reports; None if it does not answer, and then the run has its time.

    While an import merges in bulk, its locks keep the CLI waiting for as long as the merge takes; its result in S3 says
    when it is done. Of one that has `failed` only the CLI knows whether Airflow tries it again, so what keeps it from
    answering is raised: the state machine's retries ask again, for some minutes.
    """
    try:
        return runs.cli(migration, dag).run_state(runs.dag_of(dag), run, runs.date_of(migration, dag))
    except (errors.TransientError, errors.CliUnreachable) as error:
        if failed:
            raise
        logger.warning("the CLI did not answer how far the run is", extra={"dag": dag, "error_message": str(error)})
        return RunState(None)
