"""What need not be looked at again after an early copy, which was made while the source's DAGs still ran.

The last copy of a migration is part of its downtime, so it leaves out streams that the early one has finished and that
nobody has written to since; their results count as its own. A stream that was written to is compared with the target as
in any second copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from migration.exchange import layout
from migration.exchange.store import Store
from migration.logs.clock import DAY
from migration.logs.copying import Batch
from migration.logs.results import journals

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.logs.request import LogCopy

#: CloudWatch may be so late with the times of a stream's last event (its API says an hour, in rare cases more).
LATE = DAY


class Early:
    """An early copy that has ended well."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str, began: int) -> None:
        """`began`: in milliseconds; it has what was there by then."""
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._before = began - LATE

    @cached_property
    def _names(self) -> set[bytes]:
        """Digests, because there may be a million names of some hundred characters."""
        return {_digest(batch["source"], name) for batch in self._batches() for name in batch["streams"]}

    def has(self, group: str, stream: dict[str, Any]) -> bool:
        """Whether the early copy has all of a stream of the source (as DescribeLogStreams tells it)."""
        if stream.get("lastEventTimestamp") is None:
            # Its events are too new for CloudWatch to tell their times.
            return False
        latest = max(stream["lastEventTimestamp"], stream.get("lastIngestionTime") or 0)
        return latest < self._before and _digest(group, stream["logStreamName"]) in self._names

    def others(self, batches: list[Batch]) -> Iterator[tuple[Batch, dict[str, Any] | None]]:
        """The early copy's batches with their journals, without the streams that are in these batches as well."""
        again = {_digest(batch["source"], name) for batch in batches for name in batch["streams"]}
        for batch, journal in journals(self._s3, self._bucket, self._prefix, self._batches()):
            streams = [name for name in batch["streams"] if _digest(batch["source"], name) not in again]
            yield {**batch, "streams": streams}, journal

    def _batches(self) -> list[Batch]:
        batches: list[Batch] = Store(self._s3, self._bucket, self._prefix).read(layout.LOG_BATCHES)
        return batches


def of(s3: S3Client, copy: LogCopy) -> Early | None:
    """The early copy before this one; None where there was none, or where it did not end well."""
    if copy["early"] is None:
        return None
    made = Store(s3, copy["bucket"], copy["early"]).read(layout.LOG_COPY)
    ended = {phase["name"] for phase in Store(s3, copy["bucket"], copy["phases"]).phases() if phase["ended"]}
    if made is None or made["copy"]["phase"] not in ended:
        return None
    return Early(s3, copy["bucket"], copy["early"], made["copy"]["end"])


def _digest(group: str, stream: str) -> bytes:
    return hashlib.blake2b(f"{group}:{stream}".encode(), digest_size=12).digest()
