"""One migration at a time: an environment that one works on is locked for every other.

A lock is an object of the exchange bucket that S3 writes only where there is none (a conditional write), so of two
executions that start at once exactly one gets it. It belongs to an execution of the state machine. When that has ended
the lock is stale, whatever ended it, and the next one takes it over; a lock whose execution still runs is broken only
where the input asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from botocore.exceptions import ClientError

from migration.aws import clients
from migration.aws.client_errors import code_of
from migration.errors import EnvironmentLocked, LockLost, MigrationError
from migration.exchange import json_object, layout
from migration.exchange.json_object import Tagged
from migration.times import now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

    from migration.model import Migration

# An aborted execution can be redriven from these, but nothing tells it who has taken over its lock.
_RUNS = frozenset({"RUNNING", "PENDING_REDRIVE"})


class Lock(TypedDict):
    """`execution` is the ARN of the holder, `since` an ISO 8601 time in UTC."""

    migration: str
    execution: str
    since: str


class Place(NamedTuple):
    """An environment."""

    region: str
    environment: str


class Locks:
    """The locks of the environments, as one migration sees them."""

    def __init__(self, s3: S3Client, bucket: str, folder: str = layout.LOCKS) -> None:
        """`folder`: of other locks than the migrations', which are kept in the same way."""
        self._s3 = s3
        self._bucket = bucket
        self._folder = folder

    def acquire(
        self,
        places: Iterable[Place],
        migration_id: str,
        execution: str,
        states: SFNClient,
        break_lock: bool,
        refusal: Callable[[Place, Lock], MigrationError] | None = None,
    ) -> None:
        """Locks every place for an execution (its ARN), or none of them.

        Having them already is not an error. Raises EnvironmentLocked, or what `refusal` makes.
        """
        taken: list[Place] = []
        for place in places:
            lock = Lock(migration=migration_id, execution=execution, since=now())
            while (holder := self._take(place, lock)) is not None:
                if not break_lock and is_running(states, holder.content["execution"]):
                    self.release(taken, execution)
                    raise (refusal or locked)(place, holder.content)
                if self._write(place, lock, over=holder):
                    break
            taken.append(place)

    def held(self, places: Iterable[Place], execution: str) -> list[Place]:
        """Those of the places that an execution (its ARN or name) holds."""
        found = ((place, self._read(place)) for place in places)
        return [place for place, item in found if item is not None and _is_of(item.content, execution)]

    def holder(self, place: Place) -> Lock | None:
        """The lock of an environment, also one whose execution has ended."""
        found = self._read(place)
        lock: Lock | None = found and found.content
        return lock

    def places(self) -> list[Place]:
        """Every environment that has a lock."""
        folder = f"{self._folder}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [Place(*key.removeprefix(folder).removesuffix(".json").split("/")) for key in keys]

    def release(self, places: Iterable[Place], execution: str) -> None:
        """Unlocks what an execution (its ARN or name) holds; what another has taken over stays locked."""
        for place in places:
            found = self._read(place)
            if found is not None and _is_of(found.content, execution):
                json_object.delete(self._s3, self._bucket, self._key(place), found)

    def _take(self, place: Place, lock: Lock) -> Tagged | None:
        """Writes the lock, unless there is one. Returns that of another execution."""
        while not self._write(place, lock, over=None):
            found = self._read(place)
            if found is not None:
                return None if found.content["execution"] == lock["execution"] else found
        return None

    def _write(self, place: Place, lock: Lock, *, over: Tagged | None) -> bool:
        return json_object.write(self._s3, self._bucket, self._key(place), lock, over=over) is not None

    def _read(self, place: Place) -> Tagged | None:
        return json_object.read(self._s3, self._bucket, self._key(place))

    def _key(self, place: Place) -> str:
        return layout.place(self._folder, place.region, place.environment)


def places_of(migration: Migration) -> list[Place]:
    """The source and the target."""
    return [Place(migration[side]["region"], migration[side]["environment"]) for side in ("source", "target")]


def of_migration(migration: Migration) -> Locks:
    return Locks(clients.s3(), migration["bucket"])


def require_locks(migration: Migration, execution: str) -> None:
    """Raises LockLost unless the execution (its name) still holds both environments."""
    places = places_of(migration)
    held = of_migration(migration).held(places, execution)
    lost = [place.environment for place in places if place not in held]
    if lost:
        raise LockLost(
            f"{' and '.join(lost)}: another execution has taken over. This one changes nothing more there; start the "
            "migration again with the same input when the other has ended."
        )


def locked(place: Place, lock: Lock) -> EnvironmentLocked:
    """The error for a migration that wants an environment which another one holds."""
    return EnvironmentLocked(
        f"{place.environment} in {place.region} has been locked by migration {lock['migration']} since "
        f"{lock['since']}. Wait until its execution {lock['execution']} has ended, or stop it; options.breakLock takes "
        "the environment away from it."
    )


def _is_of(lock: Lock, execution: str) -> bool:
    return execution in (lock["execution"], lock["execution"].rsplit(":", 1)[-1])


def is_running(states: SFNClient, execution: str) -> bool:
    """Whether an execution (its ARN) has not ended."""
    try:
        return states.describe_execution(executionArn=execution)["status"] in _RUNS
    except ClientError as error:
        if code_of(error) == "ExecutionDoesNotExist":
            return False
        raise
