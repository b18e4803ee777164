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
from migration.errors import RollBackBegun
from migration.exchange.store import Store, of_artifact, of_attempt
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

    Raises TargetChanged where the owner of an adopted target has changed it, and RollBackBegun.
    """
    require_locks(migration, execution)
    if done == 0:
        adoption.require_unchanged(migration)
    store = of_attempt(clients.s3(), migration)
    _require_no_rollback(store)
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


def _require_no_rollback(store: Store) -> None:
    """An execution may have been aborted in its rollback; the source's DAGs may become active at any moment then."""
    if phase_names.ROLL_BACK in {phase["name"] for phase in store.phases()}:
        raise RollBackBegun(
            "A rollback of this migration has begun and was aborted, so its source may have active DAGs at any moment. "
            "Nothing was cut over; the rollback goes on. Then start the migration again with the same input."
        )
