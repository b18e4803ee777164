"""ListLogStreams: makes the target's log groups and the manifest of the batches that are copied. Called until ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration import errors, settings
from migration.aws import clients
from migration.exchange import chain, layout
from migration.exchange.store import Store
from migration.logs import early_copy, invocation, listing, request, target_lock
from migration.logs.api import OutOfTime
from migration.logs.clock import Clock
from migration.logs.selection import Selection, failed_of
from migration.observability import logger
from migration.state import state

# Of a function's 15 minutes.
SECONDS = 600.0
TRIES_SECONDS = 780.0


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`progress` goes into the next call; `manifest` is the key of the batches."""

    ready: bool
    wait_seconds: int
    progress: dict[str, Any] | None
    copy: request.LogCopy
    manifest: str
    batches: int


@state
def handler(*, execution: str, execution_arn: str, input: dict[str, Any], progress: dict[str, Any] | None) -> Listing:
    """Lists what there is time for.

    The target's log groups are locked for the execution from here on, until it ends. `input` is that of the execution:
    `{"migration", "early"}`, or what `copy_logs.schema.json` describes. `progress` is null in the first call and what
    the last one answered in the others.
    """
    clock = Clock()
    begun = clock.monotonic()
    progress = progress or _begin(execution, input, clock.now())
    copy: request.LogCopy = progress["copy"]
    target_lock.acquire(clients.s3(), clients.states(), copy, execution_arn)
    store = Store(clients.s3(), copy["bucket"], copy["prefix"])
    Store(clients.s3(), copy["bucket"], copy["phases"]).start_phase(copy["phase"])
    made = _finished(store, copy)
    if made is not None:
        return made
    # Nobody copies yet, so the whole share is for the listing.
    of_source, of_target = invocation.pacers(copy, clock)
    source = invocation.api(copy["source"], of_source, begun + TRIES_SECONDS, clock)
    target = invocation.api(copy["target"], of_target, begun + TRIES_SECONDS, clock)
    groups, missing = progress["groups"], progress["missing"]
    if groups is None:
        try:
            groups, missing = listing.prepare(copy, source, target)
        except OutOfTime as error:
            raise errors.TransientError("CloudWatch Logs kept throttling the listing of the log groups.") from error
    failed = None
    if copy["failedOf"]:
        before = chain.read(Store(clients.s3(), copy["bucket"], layout.migration(copy["id"])))["artifacts"]
        artifacts = dict.fromkeys([*before, layout.artifact(copy["failedOf"])])
        failed = failed_of(clients.s3(), copy["bucket"], artifacts)
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
        return Listing(ready=False, wait_seconds=0, progress=progress, copy=copy, manifest="", batches=0)
    return _finish(store, copy, groups, missing)


def _finished(store: Store, copy: request.LogCopy) -> Listing | None:
    """The batches that an earlier execution listed for this copy; what has become of them is found, too."""
    made = store.read(layout.LOG_COPY)
    if made is None:
        return None
    if not request.same(made["copy"], copy):
        raise errors.InputChanged(
            f"The copy {copy['id']} was begun with another input. Start it with the same one to go on, or give "
            "another copyId."
        )
    return Listing(ready=True, wait_seconds=0, progress=None, **made)


def _begin(execution: str, given: dict[str, Any], now: float) -> dict[str, Any]:
    quotas = settings.log_quotas()
    copy = (
        request.of_migration(given["migration"], now, quotas, early=given["early"])
        if "migration" in given
        else request.of_input(given, execution, settings.exchange_bucket(), settings.region(), now, quotas)
    )
    return {"copy": copy, "cursor": listing.BEGIN, "groups": None, "missing": []}


def _finish(store: Store, copy: request.LogCopy, groups: list[listing.Group], missing: list[str]) -> Listing:
    parts: list[dict[str, Any]] = []
    while (part := store.read(layout.log_listing(len(parts)))) is not None:
        parts.append(part)
    batches = list(listing.batches(groups, parts, copy["workers"]))
    copy = request.shared(copy, len(batches))
    manifest = store.write(layout.LOG_BATCHES, batches)
    made: dict[str, Any] = {"copy": copy, "manifest": manifest, "batches": len(batches)}
    store.write(layout.LOG_GROUPS, {"groups": groups, "missing": missing})
    store.write(layout.LOG_COPY, made)
    logger.info("listed", extra={"batches": len(batches), "streams": sum(len(batch["streams"]) for batch in batches)})
    return Listing(ready=True, wait_seconds=0, progress=None, **made)
