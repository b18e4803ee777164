"""One invocation's part of a copy: the clients with their pace and time, the batch's journal, and what is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from migration import errors
from migration.aws import clients
from migration.exchange import layout
from migration.logs.api import GroupMissing, LogsApi, StreamMissing, Unanswered
from migration.logs.archive import Archives
from migration.logs.clock import Clock
from migration.logs.copying import Batch, BatchCopy
from migration.logs.journal import Journal, Wait
from migration.logs.pacing import Pacer
from migration.logs.quota_shares import Shares
from migration.logs.reading import Window
from migration.logs.request import End, LogCopy
from migration.observability import logger, metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_METRICS = {"copied": "LogEventsCopied", "archived": "LogEventsArchived", "bytes": "LogBytesCopied"}


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """Whether the batch is done; if not, after how many seconds to call again."""

    ready: bool
    wait_seconds: int


def api(end: End, pacer: Pacer, until: float, clock: Clock) -> LogsApi:
    """CloudWatch Logs of one end of a copy."""
    return LogsApi(
        clients.logs(end["region"], end["role"]), pacer, until=until, where=end["role"] or end["region"], clock=clock
    )


def pacers(copy: LogCopy, clock: Clock, s3: S3Client | None = None) -> tuple[Pacer, Pacer]:
    """The source's and the target's: one and the same where both ends share their quotas.

    With `s3` the workers of the copy share what it may use; without, it is all for one.
    """

    def pacer(end: str) -> Pacer:
        shares = None
        if s3 is not None:
            key = f"{copy['prefix']}/{layout.log_shares(end)}"
            shares = Shares(s3, copy["bucket"], key, copy["paces"], copy["workers"], clock)
        return Pacer(copy["paces"], clock.monotonic, clock.sleep, shares)

    source = pacer("source")
    shared = (copy["source"]["region"], copy["source"]["role"]) == (copy["target"]["region"], copy["target"]["role"])
    return source, source if shared else pacer("target")


def copy_batch(
    s3: S3Client, copy: LogCopy, batch: Batch, *, seconds: float, tries_seconds: float, clock: Clock
) -> BatchProgress:
    """Copies a batch, or as much of it as there is time for.

    After `seconds` no page and no stream is begun; after `tries_seconds` a throttled call is given up.
    """
    begun = clock.monotonic()
    of_source, of_target = pacers(copy, clock, s3)
    journal = Journal(s3, copy["bucket"], f"{copy['prefix']}/{layout.log_journal(batch['index'])}", clock)
    try:
        journal.take()
    except Wait as wait:
        logger.info("an earlier invocation may still write", extra={"batch": batch["index"], "seconds": wait.seconds})
        return BatchProgress(ready=False, wait_seconds=math.ceil(wait.seconds))
    if journal.done:
        return BatchProgress(ready=True, wait_seconds=0)
    before = _sums(journal)
    copying = BatchCopy(
        batch,
        api(copy["source"], of_source, begun + tries_seconds, clock),
        api(copy["target"], of_target, begun + tries_seconds, clock),
        journal,
        Archives(s3, copy["bucket"], copy["prefix"]),
        Window(copy["start"], copy["end"]),
        until=begun + seconds,
        clock=clock,
    )

    def leave(state: str, failure: errors.MigrationError | None = None) -> None:
        all_pacers = {id(pacer): pacer for pacer in (of_source, of_target)}.values()
        _total(journal, list(all_pacers), clock.monotonic() - begun)
        journal.leave(state, failure)
        _measure(before, _sums(journal), sum(pacer.throttles.total() for pacer in all_pacers))
        for pacer in all_pacers:
            pacer.leave()

    try:
        done = _copy(copying, batch)
    except errors.LogCopyTakenOver:
        raise
    except errors.TransientError:
        leave("suspended")
        raise
    except errors.MigrationError as error:
        leave("failed", error)
        raise
    except Exception:
        leave("suspended")
        raise
    leave("done" if done else "suspended")
    logger.info("copied", extra={"batch": batch["index"], "done": done, "streams": len(journal.streams)})
    return BatchProgress(ready=done, wait_seconds=0)


def _copy(copying: BatchCopy, batch: Batch) -> bool:
    try:
        return copying.run()
    except GroupMissing as error:
        raise errors.LogGroupNotFound(
            f"A log group was deleted while it was copied: {error}. Start the copy again: it "
            "makes groups of the target that are missing."
        ) from error
    except Unanswered as error:
        raise errors.TransientError(f"{batch['target']}: a write got no answer twice: {error}.") from error
    except StreamMissing as error:
        raise errors.TransientError(
            f"A stream of {batch['target']} was deleted while it was copied to: {error}. The next try makes it again."
        ) from error


def _sums(journal: Journal) -> dict[str, int]:
    return {name: sum(result[name] for result in journal.streams.values()) for name in _METRICS}


def _total(journal: Journal, pacers: list[Pacer], seconds: float) -> None:
    """Adds this invocation's calls to those of the batch's earlier ones."""
    calls = dict(journal.totals.get("calls", {}))
    throttles = journal.totals.get("throttles", 0)
    for pacer in pacers:
        throttles += pacer.throttles.total()
        for operation, number in pacer.calls.items():
            calls[operation] = calls.get(operation, 0) + number
    journal.totals = {
        "calls": calls,
        "throttles": throttles,
        "seconds": round(journal.totals.get("seconds", 0.0) + seconds, 3),
    }


def _measure(before: dict[str, int], after: dict[str, int], throttles: int) -> None:
    for name, metric in _METRICS.items():
        if after[name] > before[name]:
            unit = MetricUnit.Bytes if name == "bytes" else MetricUnit.Count
            metrics.add_metric(name=metric, unit=unit, value=after[name] - before[name])
    if throttles:
        metrics.add_metric(name="LogThrottles", unit=MetricUnit.Count, value=throttles)
