"""How many invocations copy at the moment: the fewer of the last ones there are, the faster each may be.

A batch that is begun has a journal, one that is done also an empty object beside it. So a list of their names tells how
many are under way, and the journals themselves need not be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .results import DONE, journal_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .request import LogCopy

# One answer of ListObjectsV2 has 1,000 names, two of a batch; of more batches, the last ones are looked at.
_BATCHES = 500


def workers(s3: S3Client, copy: LogCopy) -> int:
    """Those that copy now; while batches are waiting to be begun, as many as there can be."""
    first = copy["batches"] - _BATCHES
    # Keys sort as their numbers do.
    after = {"StartAfter": journal_key(copy["prefix"], first - 1) + "~"} if first > 0 else {}
    prefix = journal_key(copy["prefix"], 0).rpartition("/")[0] + "/"
    found = s3.list_objects_v2(Bucket=copy["bucket"], Prefix=prefix, **after).get("Contents", [])  # type: ignore[arg-type]
    done = sum(item["Key"].endswith(DONE) for item in found)
    begun = len(found) - done
    if begun < min(copy["batches"], _BATCHES):
        return copy["workers"]
    return max(1, min(copy["workers"], begun - done))
