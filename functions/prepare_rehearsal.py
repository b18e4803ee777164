"""PrepareRehearsal: the input of the migration that is rehearsed, with a throw-away target of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration import settings
from migration.aws import clients
from migration.exchange.locks import Locks, Place, is_running, locked
from migration.observability import logger
from migration.plan import migration_input, rehearsal_input
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """The migration that is rehearsed, and its input."""

    migration_id: str
    input: dict[str, Any]


@state
def handler(*, execution_arn: str, input: Any) -> Rehearsal:
    """Raises EnvironmentLocked where another migration works on the source.

    Here, and not in a migration that would be refused: one that fails alarms people.
    """
    bucket = settings.exchange_bucket()
    given = rehearsal_input.read(input, clients.s3(), bucket)
    document = rehearsal_input.of(given, execution_arn)
    region, _ = migration_input.regions(document, settings.region())
    source = Place(region, document["source"]["environment"])
    lock = Locks(clients.s3(), bucket).holder(source)
    if lock is not None and is_running(clients.states(), lock["execution"]):
        raise locked(source, lock)
    migration_id = document["migrationId"]
    logger.info("rehearses", extra={"rehearsal": migration_id, "environment": document["target"]["environment"]})
    return Rehearsal(migration_id=migration_id, input=document)
