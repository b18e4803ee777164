"""TriggerExport, TriggerImport: makes sure that a run of one of our DAGs exists."""

from __future__ import annotations

from typing import Any

from migration.airflow import runs
from migration.aws import clients
from migration.exchange.locks import require_locks
from migration.exchange.store import of_artifact, of_attempt
from migration.observability import logger, state


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "dag"}` -> `{"runId", "created"}`. A run that has left its results is not asked for again."""
    migration, dag = event["migration"], event["dag"]
    require_locks(migration, event["execution"])
    run = runs.run_id(migration, dag)
    if runs.is_complete(dag, runs.results(of_artifact(clients.s3(), migration), dag, run)):
        return {"runId": run, "created": False}
    of_attempt(clients.s3(), migration).start_phase(runs.PHASES[dag])
    cli = runs.cli(migration, dag)
    # Our DAGs are not paused when they are first parsed, but a user may have paused one since.
    cli.unpause(dag)
    created = cli.trigger(dag, run, migration["executionDate"], runs.conf(migration, dag))
    logger.info("triggered", extra={"dag": dag, "run_id": run, "new": created})
    return {"runId": run, "created": created}
