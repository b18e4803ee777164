"""Plan: checks the input and what it names, and works out the path. Nothing has been created when it refuses."""

from __future__ import annotations

from typing import Any

from migration import errors, phase_names, settings
from migration.aws import clients
from migration.environments import adoption, environment
from migration.exchange import layout
from migration.exchange.locks import Locks, Place, places_of
from migration.exchange.store import Store
from migration.model import Migration
from migration.observability import logger
from migration.plan import migration_input, planning, preconditions
from migration.plan.migration_plan import Attempt
from migration.state import state
from migration.times import now

# Options of a rollback by hand; all others are those of the migration that it undoes.
_OF_ROLL_BACK = ("targetOnFailure", "artifact", "pollSeconds", "parseTimeoutSeconds", "dagRunTimeoutSeconds")


@state
def handler(*, execution: str, execution_arn: str, input: Any) -> Migration:
    """The plan, the same for the same migration.

    The source and the target are locked for the execution from here on, until CleanUp.
    """
    found = migration_input.problems(input)
    if found:
        raise errors.InvalidInput("; ".join(str(problem) for problem in found))
    document = migration_input.with_defaults(input)
    bucket = settings.exchange_bucket()
    migration_id = migration_input.migration_id(document, execution)
    store = Store(clients.s3(), bucket, layout.migration(migration_id))
    places = _places(document, store)
    locks = Locks(clients.s3(), bucket)
    locks.acquire(places, migration_id, execution_arn, clients.states(), break_lock=document["options"]["breakLock"])
    try:
        if document["mode"] == "rollback":
            return _to_roll_back(document, store)
        return _to_migrate(document, migration_id, store)
    except errors.MigrationError:
        locks.release(places, execution_arn)
        raise


def _places(document: dict[str, Any], store: Store) -> list[Place]:
    """What is locked. Raises MigrationUnknown."""
    if document["mode"] == "rollback":
        before = store.read(layout.PLAN)
        if before is None:
            raise errors.MigrationUnknown(
                f"migrationId: there is no migration {document['migrationId']!r} to roll back; you find its id in its "
                f"report, and it names its folder under s3://{store.bucket}/{layout.MIGRATIONS}/"
            )
        return places_of(before["migration"])
    places = zip(migration_input.regions(document, settings.region()), ("source", "target"), strict=True)
    return [Place(region, document[side]["environment"]) for region, side in places]


def _to_migrate(document: dict[str, Any], migration_id: str, store: Store) -> Migration:
    digest = migration_input.digest(document)
    before = store.read(layout.PLAN)
    if before is not None:
        if before["digest"] != digest:
            raise errors.InputChanged(
                f"migration {migration_id} was planned with another input. Start it with the same input to go on, or "
                "give another migrationId to begin a new one."
            )
        migration: Migration = before["migration"]
        of_attempt = Store(clients.s3(), store.bucket, layout.attempt(migration_id, migration["attempt"]))
        if of_attempt.read(layout.ROLLED_BACK) is None:
            finished = [phase["name"] for phase in of_attempt.phases() if phase["ended"]]
            logger.info("goes on", extra={"attempt": migration["attempt"], "finished": finished})
            # Waits may differ between executions of one migration.
            return {**migration, "options": document["options"], "finished": finished}

    started = now()
    attempt = Attempt(
        migration_id=migration_id,
        number=before["migration"]["attempt"] + 1 if before else 1,
        bucket=store.bucket,
        region=settings.region(),
        import_version=settings.import_version(),
        started=started,
    )
    outlook = planning.look(document, attempt)
    if outlook.plan is None or outlook.problems:
        raise preconditions.refusal(outlook.problems)
    migration = outlook.plan
    store.write(layout.PLAN, {"digest": digest, "input": document, "migration": migration})
    of_attempt = Store(clients.s3(), store.bucket, layout.attempt(migration_id, attempt.number))
    if migration["adopted"] and outlook.target is not None:
        adoption.record(migration, outlook.target)
    of_attempt.end_phase(phase_names.PLAN, started)
    return migration


def _to_roll_back(document: dict[str, Any], store: Store) -> Migration:
    """The plan of the migration's last attempt, marked as one that is taken back."""
    migration: Migration = store.read(layout.PLAN)["migration"]
    source = migration["source"]
    current = environment.get(clients.mwaa(source["region"]), source["environment"])
    if current is None or current["Status"] != "AVAILABLE":
        found = "does not exist any more" if current is None else f"is {current['Status']}"
        raise errors.SourceNotAvailable(
            f"{source['environment']} {found}; its DAGs can be resumed only while it is AVAILABLE"
        )
    if migration["adopted"] and document["options"]["targetOnFailure"] == "delete":
        raise errors.InvalidInput(
            "InvalidValue at options.targetOnFailure: is delete, and an adopted target is never deleted; leave it out"
        )
    options = {**migration["options"], **{name: document["options"][name] for name in _OF_ROLL_BACK}}
    return {**migration, "options": options, "rollBack": True}
