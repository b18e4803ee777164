"""CopyLogEvents: copies one batch of log streams, or as much of it as one invocation can. Called until ready."""

from __future__ import annotations

from typing import Any

from migration.aws import clients
from migration.logs import target_lock
from migration.logs.clock import Clock
from migration.logs.invocation import copy_batch
from migration.observability import state

# Of a function's 15 minutes: when no page and no stream is begun any more, and when a throttled call is given up.
SECONDS = 720.0
TRIES_SECONDS = 820.0


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"execution", "copy", "batch"}` -> `{"ready", "waitSeconds"}`. Raises LogCopyUnderWay when the lock is lost."""
    target_lock.require(clients.s3(), event["copy"], event["execution"])
    return copy_batch(
        clients.s3(), event["copy"], event["batch"], seconds=SECONDS, tries_seconds=TRIES_SECONDS, clock=Clock()
    )
