"""One copy at a time into the log groups of an environment: another would not know what this one is about to write.

The lock belongs to an execution of the state machine that copies logs, also where a migration has started it, and is
stale when that has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration import errors
from migration.exchange import layout
from migration.exchange.locks import Lock, Locks, Place
from migration.logs.request import LogCopy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

    from migration.model import Migration


def acquire(s3: S3Client, states: SFNClient, copy: LogCopy, execution: str) -> None:
    """Locks the target for an execution (its ARN), which may have it already. Raises LogCopyUnderWay."""
    locks = Locks(s3, copy["bucket"], layout.LOG_COPIES)
    locks.acquire([_place(copy)], copy["id"], execution, states, break_lock=False, refusal=_under_way)


def require(s3: S3Client, copy: LogCopy, execution: str) -> None:
    """Raises LogCopyUnderWay unless the execution (its name) still has the target, as it may not after a redrive."""
    place = _place(copy)
    locks = Locks(s3, copy["bucket"], layout.LOG_COPIES)
    if not locks.held([place], execution):
        holder = locks.holder(place)
        by = f", {holder['execution']}" if holder else ""
        raise errors.LogCopyUnderWay(
            f"Another copy of logs to {place.environment} in {place.region} has begun since this one was "
            f"interrupted{by}. Start this one again when that has ended; what was copied is found and not copied twice."
        )


def forget(s3: S3Client, migration: Migration) -> None:
    """Takes away what a migration's copies have left, of which none is under way any more."""
    target = migration["target"]
    place = Place(target["region"], target["environment"])
    locks = Locks(s3, migration["bucket"], layout.LOG_COPIES)
    holder = locks.holder(place)
    if holder is not None and holder["migration"] == migration["id"]:
        locks.release([place], holder["execution"])


def _place(copy: LogCopy) -> Place:
    return Place(copy["target"]["region"], copy["target"]["environment"])


def _under_way(place: Place, lock: Lock) -> errors.LogCopyUnderWay:
    return errors.LogCopyUnderWay(
        f"{place.environment} in {place.region} has been locked since {lock['since']} by the log copy "
        f"{lock['migration']}. Wait until its execution {lock['execution']} has ended, or stop it, and start this one "
        "again."
    )
