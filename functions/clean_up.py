"""CleanUp: takes back what the migration put into the environments and the exchange bucket; called until ready."""

from __future__ import annotations

from typing import Any

from migration import cleaning, errors, settings, waiting
from migration.observability import state


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "failed", "waitedSeconds"}` -> `{"ready", "waitSeconds", "waitedSeconds"}`; called until ready."""
    migration = event["migration"]
    call = cleaning.Call(settings.key_arn(), failed=event["failed"], waited=event["waitedSeconds"])
    if cleaning.clean(migration, event["execution"], call):
        return waiting.ready(event)
    limit = migration["options"]["environmentTimeoutSeconds"]
    name = migration["target"]["environment"]
    return waiting.not_ready(
        event,
        seconds=migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.CleanUpTimedOut(f"{name} is not gone after {limit} s. Delete it by hand."),
    )
