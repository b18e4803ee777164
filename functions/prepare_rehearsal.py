"""PrepareRehearsal: the input of the migration that is rehearsed, with a throw-away target of its own."""

from __future__ import annotations

from typing import Any

from migration import settings
from migration.aws import clients
from migration.exchange.locks import Locks, Place, is_running, locked
from migration.observability import logger, state
from migration.plan import migration_input, rehearsal_input


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"executionArn", "input"}` -> `{"migrationId", "input"}`.

    Raises EnvironmentLocked where another migration works on the source, before one is started that would be refused:
    a failed migration alarms people.
    """
    bucket = settings.exchange_bucket()
    given = rehearsal_input.read(event["input"], clients.s3(), bucket)
    document = rehearsal_input.of(given, event["executionArn"])
    region, _ = migration_input.regions(document, settings.region())
    source = Place(region, document["source"]["environment"])
    lock = Locks(clients.s3(), bucket).holder(source)
    if lock is not None and is_running(clients.states(), lock["execution"]):
        raise locked(source, lock)
    migration_id = document["migrationId"]
    logger.info("rehearses", extra={"rehearsal": migration_id, "environment": document["target"]["environment"]})
    return {"migrationId": migration_id, "input": document}
