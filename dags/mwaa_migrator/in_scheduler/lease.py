"""Who works for a run: an object in S3 that is written only over the version that was read.

A holder renews it, and each renewal changes it. It is stale for whoever has seen the same version for LEASE_SECONDS, by
that one's own clock, so no two clocks are compared. Then another may take it.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, NamedTuple

from mwaa_migrator.artifact.s3_storage import S3Storage

#: How long a lease holds without a renewal. A merge's locks do not keep a renewal waiting: it needs S3 only.
LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 10.0

NAME = "in-scheduler/lease.json"


class Seen(NamedTuple):
    """What the lease was when it was looked at: ``holder`` and ``request`` are empty where nobody has it."""

    tag: str
    holder: str
    request: str


def look(storage: S3Storage) -> Seen | None:
    """The lease as it is now; None if nobody has ever had it."""
    found = storage.read_tagged(NAME)
    if found is None:
        return None
    content = json.loads(found.content)
    return Seen(found.tag, content["holder"], content["request"])


class Lease:
    """The lease of one run, for one process; ``clock`` gives seconds that only go up."""

    def __init__(self, storage: S3Storage, holder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._holder = holder
        self._clock = clock
        self._seen: str | None = None
        self._seen_at = 0.0
        self._tag: str | None = None
        self._renewals = 0

    def try_to_take(self, request: str) -> bool:
        """Take it for a request if it is free or stale; false if somebody else has it, or was quicker."""
        found = look(self._storage)
        if found is not None and found.holder and self._watch(found.tag) < LEASE_SECONDS:
            return False
        return self._write(request, found.tag if found else None)

    def renew(self, request: str) -> bool:
        """False if it is another's by now: then nothing may be done for it any more."""
        return self._write(request, self._tag)

    def release(self) -> None:
        """Leave it to whoever comes next. It may be another's already."""
        self._holder, holder = "", self._holder
        self._write("", self._tag)
        self._holder = holder

    def _watch(self, tag: str) -> float:
        """Note the lease's version; returns for how many seconds it has been the same."""
        if tag != self._seen:
            self._seen, self._seen_at = tag, self._clock()
        return self._clock() - self._seen_at

    def _write(self, request: str, over: str | None) -> bool:
        self._renewals += 1
        content: dict[str, Any] = {"holder": self._holder, "request": request, "renewals": self._renewals}
        self._tag = self._storage.write_over(NAME, json.dumps(content, sort_keys=True).encode("utf-8"), over)
        return self._tag is not None
