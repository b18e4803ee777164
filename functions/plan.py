"""Plan: checks the input and what it names, and works out the path. Nothing has been created when it refuses."""

from __future__ import annotations

from typing import Any

from migration import clients, errors, migration_input, planning, preconditions, settings
from migration.observability import logger, state
from migration.store import Store, now


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"execution", "input"}` -> the plan (`planning.Migration`), the same one for the same migration."""
    found = migration_input.faults(event["input"])
    if found:
        raise errors.InvalidInput("; ".join(str(fault) for fault in found))
    document = migration_input.with_defaults(event["input"])
    bucket = settings.exchange_bucket()
    migration_id = migration_input.migration_id(document, event["execution"])
    store = Store(clients.s3(), bucket, f"migrations/{migration_id}")
    digest = migration_input.digest(document)

    before = store.read("plan.json")
    if before is not None:
        if before["digest"] != digest:
            raise errors.InputChanged(
                f"migration {migration_id} was planned with another input. Start it with the same input to go on, or "
                "give another migrationId to begin a new one."
            )
        migration: planning.Migration = before["migration"]
        of_attempt = Store(clients.s3(), bucket, f"migrations/{migration_id}/{migration['attempt']}")
        if of_attempt.read("rolled_back.json") is None:
            finished = [phase["name"] for phase in of_attempt.phases() if phase["ended"]]
            logger.info("goes on", extra={"attempt": migration["attempt"], "finished": finished})
            # Waits may differ between executions of one migration.
            return {**migration, "options": document["options"], "finished": finished}

    started = now()
    attempt = before["migration"]["attempt"] + 1 if before else 1
    migration = _plan(document, migration_id, attempt, bucket, started)
    store.write("plan.json", {"digest": digest, "input": document, "migration": migration})
    of_attempt = Store(clients.s3(), bucket, f"migrations/{migration_id}/{attempt}")
    of_attempt.end_phase("plan", started)
    return dict(migration)


def _plan(document: dict[str, Any], migration_id: str, attempt: int, bucket: str, started: str) -> planning.Migration:
    outlook = preconditions.look(
        document,
        migration_id=migration_id,
        attempt=attempt,
        bucket=bucket,
        region=settings.region(),
        import_version=settings.import_version(),
        started=started,
    )
    if outlook.plan is None or outlook.faults:
        raise planning.refusal(outlook.faults)
    return outlook.plan
