"""Verify: whether the target has what the source had, table by table, from the results of the import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from migration import errors, phase_names
from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.checks import history_and_logs
from migration.exchange.store import of_artifact, of_attempt
from migration.model import Migration
from migration.observability import metrics
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How much was compared."""

    tables: int
    rows: int


@state
def handler(*, migration: Migration) -> Verified:
    """Raises VerificationFailed with the tables that differ, and ResultMissing."""
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase_names.VERIFY)
    results = runs.results(
        of_artifact(clients.s3(), migration), our_dags.IMPORT, runs.run_id(migration, our_dags.IMPORT)
    )
    if "verify" not in results:
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
    store.end_phase(phase_names.VERIFY)
    return Verified(tables=len(tables), rows=rows)
