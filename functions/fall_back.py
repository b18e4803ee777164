"""FallBack: where Airflow 3 lets no task into its database, plans the path through 2.11 and deletes the target.

Nothing is paused or imported yet. The target is created again, at 2.11, when the one at Airflow 3 is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from migration import errors, phase_names, settings, waiting
from migration.airflow import path, versions, ways_in
from migration.aws import clients
from migration.checks import check_results, target_database
from migration.cleanup import cleaning
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt, of_migration
from migration.failure import message_of
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress


@dataclass(frozen=True, kw_only=True)
class FallBackProgress(Progress):
    """`migration` is the plan of the path through 2.11."""

    migration: Migration


@state
def handler(*, execution: str, migration: Migration, cause: str, waited_seconds: int) -> FallBackProgress:
    """`cause` is that of the target probe's failure, as a Catch has it. Called until ready.

    Raises ImportVersionUnfit before anything is deleted, if 2.11 does not take the source either.
    """
    require_locks(migration, execution)
    planned = _through_2_11(migration, message_of(cause))
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase_names.FALL_BACK)
    check_results.write(store, "target_database", [target_database.refused(migration, message_of(cause))])
    if cleaning.delete_target(migration):
        shared = of_migration(clients.s3(), migration)
        shared.write(layout.PLAN, {**shared.read(layout.PLAN), "migration": planned})
        logger.info("falls back", extra={"path": planned["path"]})
        return FallBackProgress(**vars(waiting.ready(waited_seconds)), migration=planned)
    limit = migration["options"]["environmentTimeoutSeconds"]
    progress = waiting.not_ready(
        waited_seconds,
        seconds=2 * migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.EnvironmentTimedOut(
            f"{migration['target']['environment']} has not been deleted after {limit} s. Delete it by hand, and start "
            "again."
        ),
    )
    return FallBackProgress(**vars(progress), migration=planned)


def _through_2_11(migration: Migration, message: str) -> Migration:
    source, final = migration["source"]["airflowVersion"], migration["target"]["airflowVersion"]
    import_version = migration["options"]["importVersion"] or settings.import_version()
    if versions.parse(import_version) < versions.parse(source):
        raise errors.ImportVersionUnfit(
            f"options.importVersion: the path through {import_version} cannot take the source's {source}, and neither "
            f"can the direct path: {message}"
        )
    _, *rest = path.of(source, final, path.THROUGH, import_version)
    of_plugin = ways_in.note(migration["wayIn"])
    note = (
        f"The target was created at Airflow {final}, and again at {import_version}, because it let no task into its "
        "database. So its upgrade in place is a part of the downtime."
    )
    return {
        **migration,
        "importVersion": rest[0],
        "path": [source, *rest],
        "hops": rest[1:],
        "direct": False,
        "wayIn": ways_in.WORKER,
        "notes": [*(told for told in migration["notes"] if told != of_plugin), note],
    }
