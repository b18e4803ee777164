"""What rehearsals that were aborted, timed out or died have left: found by the locks and by the targets' tags.

A rehearsal is swept only if this stack has planned it and no execution works on its environments any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from migration.aws import clients
from migration.aws.client_errors import code_of
from migration.environments import environment
from migration.environments.environment import MIGRATION_TAG, THROW_AWAY_TAG
from migration.exchange import layout
from migration.exchange.locks import Lock, Locks, Place, is_running, places_of
from migration.exchange.store import Store
from migration.plan import rehearsal_input

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

    from migration.model import Migration

# The names under which Amazon MWAA makes an environment's log groups.
_LOG_GROUPS = ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")


class Left(NamedTuple):
    """A rehearsal that has left something. `held` are the places that nobody else works on, with their locks."""

    migration: Migration
    held: dict[Place, Lock | None]

    def release(self, locks: Locks) -> None:
        for place, lock in self.held.items():
            if lock is not None:
                locks.release([place], lock["execution"])


class Sweeper:
    """Looks through one stack's rehearsals."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self.locks = Locks(clients.s3(), bucket)

    def one(self, migration_id: str) -> Left | None:
        """What a rehearsal has left; None where it was not planned, or where an execution of it still runs."""
        migration = self.plan(migration_id)
        if migration is None:
            return None
        source, target = places_of(migration)
        locks = {place: self.locks.holder(place) for place in (source, target)}
        running = {place for place, lock in locks.items() if lock and is_running(clients.states(), lock["execution"])}
        if any(lock["migration"] == migration_id for place, lock in locks.items() if lock and place in running):
            return None
        # The source is touched only if this rehearsal was the last to work on it. The target is known by its tags.
        last = locks[source]
        held: dict[Place, Lock | None] = {source: last} if last and last["migration"] == migration_id else {}
        if target not in running:
            held[target] = locks[target]
        return Left(migration, held)

    def overdue(self, region: str, before: datetime) -> list[str]:
        """The ids, sorted, of rehearsals that began before a time: in `region` and wherever there are locks."""
        places = self.locks.places()
        found = {
            lock["migration"]
            for place in places
            if (lock := self.locks.holder(place)) and datetime.fromisoformat(lock["since"]) < before
        }
        for one in {region, *(place.region for place in places)}:
            found |= set(_throw_away(clients.mwaa(one), before))
        return sorted(found)

    def plan(self, migration_id: str) -> Migration | None:
        """The plan of a rehearsal that this stack has made."""
        written = Store(clients.s3(), self._bucket, layout.migration(migration_id)).read(layout.PLAN)
        migration: Migration | None = written and written["migration"]
        return migration if migration is not None and migration["mode"] == "rehearse" else None


def _throw_away(mwaa: MWAAClient, before: datetime) -> Iterator[str]:
    """The migrations of a region's throw-away targets that were created before a time."""
    for page in mwaa.get_paginator("list_environments").paginate():
        for name in page["Environments"]:
            found: dict[str, Any] = environment.get(mwaa, name) or {"Tags": {}}
            tags = found.get("Tags", {})
            if tags.get(THROW_AWAY_TAG) == "true" and MIGRATION_TAG in tags and found["CreatedAt"] < before:
                yield tags[MIGRATION_TAG]


def delete_log_groups(migration: Migration) -> None:
    """Deletes the log groups that Amazon MWAA leaves of a target with a name of ours; it keeps them otherwise."""
    target = migration["target"]
    if not rehearsal_input.is_target_name(target["environment"]):
        return
    logs = clients.logs(target["region"])
    for group in _LOG_GROUPS:
        try:
            logs.delete_log_group(logGroupName=f"airflow-{target['environment']}-{group}")
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
