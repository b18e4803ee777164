"""Who works on the requests beside an artifact: an object in S3 that is written only over the version that was read.

A holder renews it, and each renewal changes it. It is stale for whoever has seen the same version for LEASE_SECONDS, by
that one's own clock, so no two clocks are compared. Then another may take it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple

from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.errors import MigratorError

#: How long a lease holds without a renewal. A merge's locks do not keep a renewal waiting: it needs S3 only.
LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What the lease was when it was looked at: ``holder`` and ``request`` are empty where nobody has it."""

    tag: str
    holder: str
    request: str


def name_in(folder: str) -> str:
    """The object that is the lease of the requests in a folder."""
    return f"{folder}/lease.json"


def look(storage: S3Storage, folder: str) -> Seen | None:
    """The lease as it is now; None if nobody has ever had it."""
    found = storage.read_tagged(name_in(folder))
    if found is None:
        return None
    content = json.loads(found.content)
    return Seen(found.tag, content["holder"], content["request"])


class Lease:
    """The lease of a folder of requests, for one process; ``clock`` gives seconds that only go up."""

    def __init__(
        self, storage: S3Storage, folder: str, holder: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._holder = holder
        self._clock = clock
        self._seen: str | None = None
        self._seen_at = 0.0
        self._tag: str | None = None
        self._renewals = 0

    def try_to_take(self, request: str) -> bool:
        """Take it for a request if it is free or stale; false if somebody else has it, or was quicker."""
        found = look(self._storage, self._folder)
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
        encoded = json.dumps(content, sort_keys=True).encode("utf-8")
        self._tag = self._storage.write_over(name_in(self._folder), encoded, over)
        return self._tag is not None


@contextmanager
def renewed(lease: Lease, request: str, lost: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Keep a lease for the length of the block; call ``lost`` once, from a thread, when it may be another's.

    What the block gets renews it at once, and says whether it is still held.
    """
    ended, lock = threading.Event(), threading.Lock()

    def renew() -> bool:
        with lock:
            return lease.renew(request)

    def keep() -> None:
        renewed_at = time.monotonic()
        while not ended.wait(RENEWAL_SECONDS):
            try:
                is_ours = renew()
            except MigratorError as error:
                # S3 may answer before the others take the lease for stale.
                _log.warning("the lease was not renewed: %s", error)
                is_ours = time.monotonic() - renewed_at < LEASE_SECONDS - RENEWAL_SECONDS
            else:
                renewed_at = time.monotonic()
            if not is_ours:
                _log.error("the lease may be another's by now")
                lost()
                return

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield renew
    finally:
        ended.set()
        thread.join()
