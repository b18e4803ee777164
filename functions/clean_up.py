"""CleanUp: takes back what the migration put into the environments and the exchange bucket; called until ready.

Only environments that this execution still holds are touched; at the end it releases them.
"""

from __future__ import annotations

from typing import Any

from migration import errors, settings, waiting
from migration.cleanup import cleaning
from migration.exchange import locks
from migration.observability import state


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "failed", "waitedSeconds"}` -> `{"ready", "waitSeconds", "waitedSeconds"}`; called until ready."""
    migration = event["migration"]
    call = cleaning.Call(settings.key_arn(), failed=event["failed"], waited=event["waitedSeconds"])
    places, of_migration = locks.places_of(migration), locks.of_migration(migration)
    if cleaning.clean(migration, of_migration.held(places, event["execution"]), call):
        of_migration.release(places, event["execution"])
        return waiting.ready(event)
    limit = migration["options"]["environmentTimeoutSeconds"]
    name = migration["target"]["environment"]
    return waiting.not_ready(
        event,
        seconds=migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.CleanUpTimedOut(f"{name} is not gone after {limit} s. Delete it by hand."),
    )
