"""CopyLogEvents: copies one batch of log streams, or as much of it as one invocation can. Called until ready."""

from __future__ import annotations

from migration.aws import clients
from migration.logs import target_lock
from migration.logs.clock import Clock
from migration.logs.copying import Batch
from migration.logs.invocation import BatchProgress, copy_batch
from migration.logs.request import LogCopy
from migration.state import state

# Of a function's 15 minutes: when no page and no stream is begun any more, and when a throttled call is given up.
SECONDS = 720.0
TRIES_SECONDS = 820.0


@state
def handler(*, execution: str, copy: LogCopy, batch: Batch) -> BatchProgress:
    """Raises LogCopyUnderWay when the lock is lost."""
    target_lock.require(clients.s3(), copy, execution)
    return copy_batch(clients.s3(), copy, batch, seconds=SECONDS, tries_seconds=TRIES_SECONDS, clock=Clock())
