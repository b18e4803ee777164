"""How many invocations copy at the moment: the fewer of the last ones there are, the faster each may be.

Each invocation writes its batch's journal every few seconds, so the times of these objects tell how many there are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .clock import Clock
from .results import journal_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .request import LogCopy

# One answer of ListObjectsV2 has so many; of more batches, the last ones are looked at.
_BATCHES = 1000
# An invocation that has not marked its journal for so long is not counted: a mark comes every 5 seconds, and a call or
# a pause for a throttle may lie between.
_QUIET = 15.0


def workers(s3: S3Client, copy: LogCopy, clock: Clock) -> int:
    """Those that copy now; while batches are waiting to be begun, as many as there can be."""
    first = copy["batches"] - _BATCHES
    # Keys sort as their numbers do.
    after = {"StartAfter": journal_key(copy["prefix"], first - 1)} if first > 0 else {}
    prefix = journal_key(copy["prefix"], 0).rpartition("/")[0] + "/"
    found = s3.list_objects_v2(Bucket=copy["bucket"], Prefix=prefix, **after).get("Contents", [])  # type: ignore[arg-type]
    if len(found) < min(copy["batches"], _BATCHES):
        return copy["workers"]
    now = datetime.fromtimestamp(clock.now(), UTC)
    active = sum((now - item["LastModified"]).total_seconds() < _QUIET for item in found)
    return max(1, min(copy["workers"], active))
