"""RollBack: puts the source back as it was: its DAGs active again, ours gone. Called until it is ready."""

from __future__ import annotations

from dataclasses import dataclass

from migration import errors, phase_names, waiting
from migration.airflow import our_dags, pausing, runs
from migration.airflow.cut_over_run import CutOverRun
from migration.aws import clients
from migration.environments import dag_folder
from migration.environments.environment import BUSY, get
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import Store, of_artifact, of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.times import now
from migration.waiting import Progress


@dataclass(frozen=True, kw_only=True)
class RollBackProgress(Progress):
    """`done`: how many of the target's DAGs are paused."""

    done: int


@state
def handler(*, execution: str, migration: Migration, waited_seconds: int, done: int) -> RollBackProgress:
    """In this order, each step harmless when it is repeated: the run that waits to unpause the target's DAGs is told to
    unpause none, the target's DAGs are paused if the cut-over had begun (so that nothing runs twice), the source's are
    resumed if they were quiesced, our files leave both DAG folders, and so do the user's that were copied into an
    adopted target's.
    """
    require_locks(migration, execution)
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase_names.ROLL_BACK)
    begun = {phase["name"] for phase in store.phases()}
    if phase_names.EXPORT in begun and runs.quiesces(migration):
        CutOverRun(migration).withdraw("rolled back")
    if phase_names.CUT_OVER in begun:
        done, paused = _pause_target(migration, done)
        if not paused:
            return _wait(waited_seconds, done, migration, "pausing the target's DAGs", seconds=1)
    if phase_names.EXPORT in begun and runs.quiesces(migration) and not _resume_source(migration):
        return _wait(waited_seconds, done, migration, "resuming the source's DAGs")
    for side in (migration["source"], migration["target"]):
        removed = dag_folder.remove_our_dags(clients.s3(side["region"]), side["bucket"], side["dagsPath"])
        logger.info("our DAG files are gone", extra={"environment": side["environment"], "removed": removed})
    if migration["adopted"]:
        _take_back_dags(migration)
    _end(store)
    return RollBackProgress(**vars(waiting.ready(waited_seconds)), done=done)


def _pause_target(migration: Migration, done: int) -> tuple[int, bool]:
    target = migration["target"]
    found = get(clients.mwaa(target["region"]), target["environment"])
    if found is not None and found["Status"] in BUSY:
        # Its DAGs run on, or will when that is over: the source's must not until they are paused.
        return done, False
    if found is None or found["Status"] != "AVAILABLE":
        return done, True
    active = runs.active_dags(of_artifact(clients.s3(), migration))
    cli = runs.final_cli(migration, found["AirflowVersion"])
    done = pausing.set_paused(cli, active, paused=True, done=done, seconds=pausing.SECONDS)
    return done, done == len(active)


def _resume_source(migration: Migration) -> bool:
    """Starts a run of our resume DAG where there is none. True once it has put the pause states back."""
    run = runs.run_id(migration, our_dags.RESUME)
    artifact = of_artifact(clients.s3(), migration)
    found = runs.results(artifact, our_dags.RESUME, run)
    if runs.is_complete(our_dags.RESUME, found):
        return True
    cli = runs.cli(migration, our_dags.RESUME)
    date = migration["executionDate"]
    run_state = cli.run_state(our_dags.RESUME, run, date)
    if run_state.state != "running":
        failure = runs.failure(runs.results(artifact, our_dags.RESUME, run))
        if failure is not None or run_state.state == "failed":
            raise errors.RollBackFailed(
                f"The source's DAGs could not be resumed ({failure or 'the run failed without a result'}). Unpause "
                f"those that quiesce.json in {migration['artifact']} lists."
            )
        cli.unpause(our_dags.RESUME)
        cli.trigger(our_dags.RESUME, run, date, runs.conf(migration, our_dags.RESUME))
    return False


def _take_back_dags(migration: Migration) -> None:
    """Removes the files that were copied into the DAG folder of an adopted target; its owner's stay."""
    target, shared = migration["target"], of_migration(clients.s3(), migration)
    copied = shared.read(layout.COPIED_DAGS) or {}
    removed = dag_folder.take_back(clients.s3(target["region"]), target["bucket"], target["dagsPath"], copied)
    shared.write(layout.COPIED_DAGS, {})
    logger.info("copied DAG files are gone", extra={"environment": target["environment"], "removed": removed})


def _wait(waited: int, done: int, migration: Migration, what: str, seconds: int | None = None) -> RollBackProgress:
    limit = migration["options"]["dagRunTimeoutSeconds"]
    progress = waiting.not_ready(
        waited,
        seconds=seconds or migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.RollBackFailed(
            f"{what} took longer than {limit} s. quiesce.json in {migration['artifact']} lists those that were active."
        ),
    )
    return RollBackProgress(**vars(progress), done=done)


def _end(store: Store) -> None:
    store.end_phase(phase_names.ROLL_BACK)
    # From here on, the same input begins a new attempt.
    store.write(layout.ROLLED_BACK, {"time": now()})
