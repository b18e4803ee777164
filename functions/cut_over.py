"""CutOver: unpauses in the target exactly the DAGs that were active in the source. The source stays paused.

A run of our DAG does it in the target's database, all in one statement, and where it cannot, Airflow's CLI does. Just
before, it checks whether the source still is paused: what runs there after the export is not in the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration import phase_names
from migration.airflow import pausing, runs
from migration.airflow.cut_over_run import CutOverRun
from migration.aws import clients
from migration.environments import adoption
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import Store, of_artifact, of_attempt
from migration.model import Migration
from migration.observability import logger
from migration.state import state

# Who unpauses the DAGs.
DATABASE, CLI = "database", "cli"


@dataclass(frozen=True, kw_only=True)
class CutOverProgress:
    """How many of the DAGs are unpaused."""

    ready: bool
    wait_seconds: int
    done: int
    dags: int


@state
def handler(*, execution: str, migration: Migration, done: int) -> CutOverProgress:
    """`done`: how many DAGs earlier calls have unpaused. Called until ready.

    Raises TargetChanged where the owner of an adopted target has changed it.
    """
    require_locks(migration, execution)
    if done == 0:
        adoption.require_unchanged(migration)
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase_names.CUT_OVER)
    active = runs.active_dags(of_artifact(clients.s3(), migration))
    if done == 0:
        done = _begin(migration, store, active)
    cli = runs.final_cli(migration)
    done = pausing.set_paused(cli, active, paused=False, done=done, seconds=pausing.SECONDS)
    if done == len(active):
        store.end_phase(phase_names.CUT_OVER)
    logger.info("unpaused", extra={"done": done, "dags": len(active)})
    return CutOverProgress(ready=done == len(active), wait_seconds=0, done=done, dags=len(active))


def _begin(migration: Migration, store: Store, active: list[str]) -> int:
    """Has the run unpause the DAGs. Returns how many it has: all, or none that the CLI may not unpause as well."""
    run, seen = CutOverRun(migration), False
    # First, because a worker comes up while the source answers.
    obstacle = run.start() if active else None
    if runs.quiesces(migration):
        source = migration["source"]
        seen = pausing.require_paused(runs.cli_of(source, source["airflowVersion"]), source["environment"], active)
        store.write(layout.CUT_OVER, {"sourceSeenPaused": seen})
    if not active:
        return 0
    if obstacle is not None:
        run.withdraw(obstacle)
    outcome = run.unpause(active)
    record: dict[str, Any] = {"sourceSeenPaused": seen, "way": DATABASE if outcome.result else CLI}
    if outcome.result is None:
        record["reason"] = outcome.reason
    else:
        record["unknown"] = outcome.result["unknown"]
    store.write(layout.CUT_OVER, record)
    return len(active) if outcome.result else 0
