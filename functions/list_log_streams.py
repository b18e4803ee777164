"""ListLogStreams: makes the target's log groups and the manifest of the batches that are copied. Called until ready."""

from __future__ import annotations

from typing import Any

from migration import errors, settings
from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import Store
from migration.logs import early_copy, invocation, listing, request, target_lock
from migration.logs.api import OutOfTime
from migration.logs.clock import Clock
from migration.logs.selection import Selection, failed_of
from migration.observability import logger, state

# Of a function's 15 minutes.
SECONDS = 600.0
TRIES_SECONDS = 780.0


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"execution", "executionArn", "input", "progress"}` -> `{"ready", "waitSeconds", "progress", "copy", "manifest",
    "batches"}`.

    The target's log groups are locked for the execution from here on, until it ends. `input` is that of the execution:
    `{"migration", "early"}`, or what `copy_logs.schema.json` describes. `progress` is null in the first call and what
    the last one answered in the others.
    """
    clock = Clock()
    begun = clock.monotonic()
    progress = event["progress"] or _begin(event, clock.now())
    copy: request.LogCopy = progress["copy"]
    target_lock.acquire(clients.s3(), clients.states(), copy, event["executionArn"])
    store = Store(clients.s3(), copy["bucket"], copy["prefix"])
    Store(clients.s3(), copy["bucket"], copy["phases"]).start_phase(copy["phase"])
    made = store.read(layout.LOG_COPY)
    if made is not None:
        if not request.same(made["copy"], copy):
            raise errors.InputChanged(
                f"The copy {copy['id']} was begun with another input. Start it with the same one to go on, or give "
                "another copyId."
            )
        # An earlier execution got this far: its batches, and what has become of them, are found.
        return {"ready": True, "waitSeconds": 0, "progress": None, **made}
    # Nobody copies yet, so the whole share is for the listing.
    of_source, of_target = invocation.pacers(copy, clock)
    source = invocation.api(copy["source"], of_source, begun + TRIES_SECONDS, clock)
    target = invocation.api(copy["target"], of_target, begun + TRIES_SECONDS, clock)
    groups: list[listing.Group] | None = progress["groups"]
    missing: list[str] = progress["missing"]
    if groups is None:
        try:
            groups, missing = listing.prepare(copy, source, target)
        except OutOfTime as error:
            raise errors.TransientFault("CloudWatch Logs throttled the look at the log groups all the time.") from error
    failed = failed_of(clients.s3(), copy["bucket"], copy["failedOf"]) if copy["failedOf"] else None
    cursor = listing.list_some(
        copy,
        groups,
        source,
        target,
        store,
        Selection(copy["dags"], failed),
        early_copy.of(clients.s3(), copy),
        progress["cursor"],
        lambda: clock.monotonic() - begun > SECONDS,
    )
    if cursor is not None:
        logger.info("listing", extra={"cursor": cursor})
        progress = {"copy": copy, "cursor": cursor, "groups": groups, "missing": missing}
        return {"ready": False, "waitSeconds": 0, "progress": progress, "copy": copy, "manifest": "", "batches": 0}
    return _finish(store, copy, groups, missing)


def _begin(event: dict[str, Any], now: float) -> dict[str, Any]:
    given, quotas = event["input"], settings.log_quotas()
    copy = (
        request.of_migration(given["migration"], now, quotas, early=given["early"])
        if "migration" in given
        else request.of_input(given, event["execution"], settings.exchange_bucket(), settings.region(), now, quotas)
    )
    return {"copy": copy, "cursor": listing.BEGIN, "groups": None, "missing": []}


def _finish(store: Store, copy: request.LogCopy, groups: list[listing.Group], missing: list[str]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    while (part := store.read(layout.log_listing(len(parts)))) is not None:
        parts.append(part)
    batches = list(listing.batches(groups, parts, copy["workers"]))
    copy = request.shared(copy, len(batches))
    manifest = store.write(layout.LOG_BATCHES, batches)
    made = {"copy": copy, "manifest": manifest, "batches": len(batches)}
    store.write(layout.LOG_GROUPS, {"groups": groups, "missing": missing})
    store.write(layout.LOG_COPY, made)
    logger.info("listed", extra={"batches": len(batches), "streams": sum(len(batch["streams"]) for batch in batches)})
    return {"ready": True, "waitSeconds": 0, "progress": None, **made}
