"""CutOver: unpauses in the target exactly the DAGs that were active in the source. The source stays paused.

Just before, it checks whether the source still is: what runs there after the export is not in the target.
"""

from __future__ import annotations

from dataclasses import dataclass

from migration import phase_names
from migration.airflow import pausing, runs
from migration.aws import clients
from migration.environments import adoption
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_artifact, of_attempt
from migration.model import Migration
from migration.observability import logger
from migration.state import state


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
    if done == 0 and runs.quiesces(migration):
        source = migration["source"]
        seen = pausing.require_paused(runs.cli_of(source, source["airflowVersion"]), source["environment"], active)
        store.write(layout.CUT_OVER, {"sourceSeenPaused": seen})
    done = pausing.set_paused(runs.final_cli(migration), active, paused=False, done=done, seconds=pausing.SECONDS)
    if done == len(active):
        store.end_phase(phase_names.CUT_OVER)
    logger.info("unpaused", extra={"done": done, "dags": len(active)})
    return CutOverProgress(ready=done == len(active), wait_seconds=0, done=done, dags=len(active))
