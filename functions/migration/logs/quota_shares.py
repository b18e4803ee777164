"""How the workers of a copy share its part of the quotas: by what each needs, and together never more than that part.

It only shows while reading which streams are big, so one worker may have most of the pages to read and another most of
the streams to make. Fixed shares would leave quotas idle until the last worker is done.

An object in the exchange bucket has an entry for each worker: what it needs of each operation, and what it has been
granted, both in calls a second. A worker changes its own entry only, with a conditional write, and is granted no more
than the entries of the others leave. It adopts a higher pace once that is written, and a lower one before. So what is
granted never exceeds the whole, in whatever order workers write and end: an entry that is not renewed expires, and its
owner has stopped by then.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from migration.exchange import json_object
from migration.exchange.json_object import Tagged
from migration.logs.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Seconds between two renewals of a worker. All of them together write _WRITES times a second at most, so that two
# seldom meet.
_PERIOD = 1.0
_WRITES = 5.0
# How much sooner it looks again while others have not given back yet what it should have.
_SOONER = 0.3
# An entry holds for that many periods plus seconds; its owner counts on some seconds less, because clocks differ.
_PERIODS_HELD = 3
_SECONDS_HELD = 7.0
_APART = 2.0
# How often a write that met another worker's is tried; after that the shares stay as they are for a while.
_TRIES = 6
_JITTER = 0.05


class Need(NamedTuple):
    """Calls a second of an operation, and how many streams wait for them, at least 1."""

    calls: float
    streams: int


class Entry(TypedDict):
    """A worker's, by operation. `until` is when it expires, in seconds since 1970; `needs` has what Need has."""

    until: float
    needs: dict[str, tuple[float, int]]
    grants: dict[str, float]


class Granted(NamedTuple):
    """Calls a second by operation, for how many seconds, and after how many to ask again."""

    paces: dict[str, float]
    seconds: float
    again: float


class Shares:
    """One worker's part of what all have. For one thread at a time."""

    def __init__(
        self, s3: S3Client, bucket: str, key: str, whole: Mapping[str, float], workers: int, clock: Clock
    ) -> None:
        """`whole`: the most calls a second, by operation, that all `workers` make together."""
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._whole = dict(whole)
        self._workers = workers
        self._clock = clock
        self._name = uuid.uuid4().hex
        self._period = max(_PERIOD, workers / _WRITES)
        self._found: Tagged | None = None

    def renew(self, needs: Mapping[str, Need], lower: Callable[[Mapping[str, float]], None]) -> Granted | None:
        """Grants what is needed of each operation as far as it is fair and free.

        Calls `lower` with the paces that hold from now on where they are the lower ones. None: the others wrote all the
        time; what was granted before, or lowered, holds until it expires.
        """
        for _ in range(_TRIES):
            begun = self._clock.now()
            others = self._read(begun)
            mine = others.pop(self._name, None)
            grants, satisfied = self._divide(needs, others, arriving=mine is None)
            lower(grants)
            held = _PERIODS_HELD * self._period + _SECONDS_HELD
            if self._write({**others, self._name: Entry(until=begun + held, needs=dict(needs), grants=grants)}):
                again = self._period if satisfied else _SOONER * self._period
                return Granted(grants, held - _APART - (self._clock.now() - begun), again)
            self._clock.sleep(random.uniform(0, _JITTER))
        return None

    def leave(self) -> None:
        """Gives everything back, at once if no other writes all the time."""
        for _ in range(_TRIES):
            entries = self._read(self._clock.now())
            if entries.pop(self._name, None) is None or self._write(entries):
                return

    def _divide(
        self, needs: Mapping[str, Need], others: Mapping[str, Entry], *, arriving: bool
    ) -> tuple[dict[str, float], bool]:
        """The new grants, and whether they are what is fair."""
        grants, satisfied = {}, True
        for operation, whole in self._whole.items():
            of_others = {name: Need(*entry["needs"][operation]) for name, entry in others.items()}
            fair = fair_shares({**of_others, self._name: needs[operation]}, whole)[self._name]
            if arriving:
                # Nobody knows yet what it needs, and those who begin at the same time find something as well.
                fair = min(fair, whole / self._workers)
            free = whole - sum(entry["grants"][operation] for entry in others.values())
            # Rounded down, so that the sum is never more than the whole.
            grants[operation] = math.floor(max(0.0, min(fair, free)) * 1000) / 1000
            satisfied = satisfied and free >= fair
        return grants, satisfied and not arriving

    def _read(self, now: float) -> dict[str, Entry]:
        """The entries that have not expired."""
        self._found = json_object.read(self._s3, self._bucket, self._key)
        entries: dict[str, Entry] = self._found.content if self._found else {}
        return {name: entry for name, entry in entries.items() if entry["until"] > now}

    def _write(self, entries: dict[str, Entry]) -> bool:
        """Writes the entries unless others have been written since they were read. Returns whether it did."""
        return json_object.write(self._s3, self._bucket, self._key, entries, over=self._found) is not None


def fair_shares(needs: Mapping[str, Need], whole: float) -> dict[str, float]:
    """Each worker's share of the whole: one that needs little gets just that; the others divide the rest by streams.

    So big streams progress at the same pace, whichever worker reads them, and none is left over at the end.
    What no worker needs is divided equally, in case one will need it in a moment.
    """
    shares, left, streams = {}, whole, sum(need.streams for need in needs.values())
    for name, need in sorted(needs.items(), key=lambda item: item[1].calls / item[1].streams):
        shares[name] = min(need.calls, left * need.streams / streams)
        left -= shares[name]
        streams -= need.streams
    return {name: share + left / len(needs) for name, share in shares.items()}
