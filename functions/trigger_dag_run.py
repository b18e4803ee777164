"""TriggerRun: makes sure that a run of our DAGs exists."""

from __future__ import annotations

from dataclasses import dataclass

from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.checks import gate
from migration.environments import adoption
from migration.exchange import chain
from migration.exchange.locks import require_locks
from migration.exchange.store import of_artifact, of_attempt, of_bucket, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Triggered:
    """`created` is false where an earlier try had triggered it, or nothing is left to do."""

    run_id: str
    created: bool


@state
def handler(*, execution: str, migration: Migration, dag: str) -> Triggered:
    """A run that has left its results is not triggered again, and no base is taken for a target that has one. `dag`
    names the run (`migration.airflow.runs`).

    Raises ChecksFailed in place of an export, where CheckFiles ended before it had judged what the checks found,
    TargetUnfit if an earlier attempt's target takes no delta, and TargetChanged where the owner of an adopted target
    has changed it.
    """
    require_locks(migration, execution)
    run = runs.run_id(migration, dag)
    store, artifact = of_attempt(clients.s3(), migration), of_artifact(clients.s3(), migration)
    if runs.is_complete(dag, runs.results(artifact, dag, run)):
        return Triggered(run_id=run, created=False)
    if dag == our_dags.COMPARE:
        # The last task of a run that is there.
        store.start_phase(runs.phase_of(dag))
        return Triggered(run_id=run, created=False)
    adoption.require_unchanged(migration)
    shared, follows = of_migration(clients.s3(), migration), None
    if runs.dag_of(dag) == our_dags.EXPORT and dag != our_dags.PROBE:
        gate.enforce(store, artifact, migration)
        chain.settle(shared, of_bucket(clients.s3(), migration), migration)
        last = chain.last(shared)
        follows = None if last is None else f"s3://{migration['bucket']}/{last}"
    if runs.step_of(dag) == our_dags.BASE and chain.has_base(shared):
        return Triggered(run_id=run, created=False)
    store.start_phase(runs.phase_of(dag))
    if runs.dag_of(dag) == our_dags.IMPORT and dag != our_dags.TARGET_PROBE:
        chain.begin(shared, runs.artifact_of(migration, dag))
    cli = runs.cli(migration, dag)
    # Our DAGs are not paused when they are first parsed, but a user may have paused one since.
    cli.unpause(runs.dag_of(dag))
    created = cli.trigger(runs.dag_of(dag), run, runs.date_of(migration, dag), runs.conf(migration, dag, follows))
    logger.info("triggered", extra={"dag": dag, "run_id": run, "new": created})
    return Triggered(run_id=run, created=created)
