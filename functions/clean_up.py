"""CleanUp: takes back what the migration put into the environments and the exchange bucket; called until ready.

Only environments that this execution still holds are touched; at the end it releases them.
"""

from __future__ import annotations

from migration import errors, settings, waiting
from migration.cleanup import cleaning
from migration.exchange import locks
from migration.model import Migration
from migration.state import state
from migration.waiting import Progress


@state
def handler(*, execution: str, migration: Migration, failed: bool, waited_seconds: int) -> Progress:
    call = cleaning.Call(settings.key_arn(), failed=failed, waited=waited_seconds)
    places, of_migration = locks.places_of(migration), locks.of_migration(migration)
    if cleaning.clean(migration, of_migration.held(places, execution), call):
        of_migration.release(places, execution)
        return waiting.ready(waited_seconds)
    limit = migration["options"]["environmentTimeoutSeconds"]
    name = migration["target"]["environment"]
    return waiting.not_ready(
        waited_seconds,
        seconds=migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.CleanUpTimedOut(f"{name} has not been deleted after {limit} s. Delete it by hand."),
    )
