"""GiveDagVersions: after the upgrade in place, a run of ours gives old task instances a DAG version, in Airflow 3."""

from __future__ import annotations

from migration import errors, waiting
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.aws import clients
from migration.environments import dag_folder
from migration.environments.bucket_writer import COPIERS, BucketWriter
from migration.exchange.locks import require_locks
from migration.exchange.store import of_artifact
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress

_RUN = our_dags.VERSIONS


@state
def handler(*, execution: str, migration: Migration, waited_seconds: int) -> Progress:
    """Called until ready. The hop has taken our DAGs out of the target, so the first call puts them back;
    in a migration they are there since its end.
    """
    require_locks(migration, execution)
    if waited_seconds == 0:
        target = migration["target"]
        writer = BucketWriter.of(clients.s3(target["region"], COPIERS), target["bucket"])
        dag_folder.put_our_dags(writer, target["dagsPath"])
    run, artifact, cli = runs.run_id(migration, _RUN), of_artifact(clients.s3(), migration), runs.cli(migration, _RUN)
    run_state = cli.run_state(our_dags.IMPORT, run, runs.date_of(migration, _RUN))
    # After the state: what has ended by now has left its result.
    found = runs.results(artifact, _RUN, run)
    if runs.is_complete(_RUN, found):
        return waiting.ready(waited_seconds)
    runs.judge(_RUN, run, run_state, found)
    if run_state.state is None:
        _trigger(migration, cli, run)
    limit = migration["options"]["parseTimeoutSeconds"] + migration["options"]["dagRunTimeoutSeconds"]
    return waiting.not_ready(
        waited_seconds,
        seconds=migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.DagRunTimedOut(
            f"{our_dags.IMPORT}: run {run} has not ended after {limit} s (tasks: {run_state.tasks or 'none yet'}). "
            "Look at the target's import errors and at the run's task logs."
        ),
    )


def _trigger(migration: Migration, cli: AirflowCli, run: str) -> None:
    """Starts the run, unless it exists or the target has not parsed our DAG yet."""
    cli.unpause(our_dags.IMPORT)
    try:
        cli.trigger(our_dags.IMPORT, run, runs.date_of(migration, _RUN), runs.conf(migration, _RUN))
    except errors.DagRunRefused as error:
        logger.info("not triggered yet", extra={"error_message": str(error)})
