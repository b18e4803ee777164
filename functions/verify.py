"""Verify: whether the target has what an artifact holds, table by table, from the results of its import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from migration import errors, phase_names
from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.checks import history_and_logs
from migration.exchange import chain
from migration.exchange.store import of_artifact, of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger, metrics
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How much was compared. `next` is the run that comes after the base or a refresh; empty after the delta."""

    tables: int
    rows: int
    next: str


@state
def handler(*, migration: Migration, dag: str) -> Verified:
    """`dag` names the import's run (`migration.airflow.runs`), or one that comes after it.

    Raises VerificationFailed with the tables that differ, and ResultMissing.
    """
    store, artifact = of_attempt(clients.s3(), migration), of_artifact(clients.s3(), migration)
    shared = of_migration(clients.s3(), migration)
    dag = runs.of_step(our_dags.IMPORT, runs.step_of(dag))
    if dag == our_dags.IMPORT:
        store.start_phase(phase_names.VERIFY)
    results = runs.results(artifact, dag, runs.run_id(migration, dag))
    if "verify" not in results:
        if runs.step_of(dag) == our_dags.BASE and chain.has_base(shared):
            # An earlier attempt's, which has verified it.
            return Verified(tables=0, rows=0, next=runs.after_import(migration, dag, 0.0))
        raise errors.ResultMissing("The import's run left no verify.json. Look at its task logs.")
    tables: dict[str, dict[str, Any]] = results["verify"]["tables"]
    different = [name for name, table in tables.items() if history_and_logs.differs(table)]
    if different or not results["verify"]["verified"]:
        raise errors.VerificationFailed(
            f"Source and target differ in {', '.join(sorted(different)) or 'a check of the engine'}. "
            "options.targetOnFailure decides whether the target is kept; verify.json in the artifact has each table's "
            "numbers."
        )
    rows = sum(table["exported"] for table in tables.values())
    metrics.add_metric(name="RowsVerified", unit=MetricUnit.Count, value=rows)
    is_mended = dag == our_dags.IMPORT and bool(migration["hops"])
    chain.end(shared, runs.artifact_of(migration, dag), mended=is_mended)
    if dag == our_dags.IMPORT:
        store.end_phase(phase_names.VERIFY)
    export = runs.of_step(our_dags.EXPORT, runs.step_of(dag))
    exported = runs.results(artifact, export, runs.run_id(migration, export))
    seconds = sum(float(result.get("seconds") or 0.0) for result in (*exported.values(), *results.values()))
    following = runs.after_import(migration, dag, seconds)
    logger.info("verified", extra={"run": dag, "rows": rows, "seconds": seconds, "next": following})
    return Verified(tables=len(tables), rows=rows, next=following)
