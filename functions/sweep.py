"""Sweep: makes sure that nothing is left of a rehearsal, whatever became of it; by schedule, of all of them.

What CleanUp has done already is found done. Amazon MWAA takes a while to delete an environment, so one rehearsal is
swept until ready, and all of them again at the schedule's next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from migration import errors, settings, waiting
from migration.cleanup import cleaning, leftovers
from migration.cleanup.leftovers import Sweeper
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress

# The files were gone before: an hour ago, when the schedule was last here, or at the rehearsal's own clean-up.
_LATER = 1


@dataclass(frozen=True, kw_only=True)
class Swept:
    """Ids of rehearsals."""

    swept: list[str]
    waiting: list[str]


@state
def handler(
    *, migration_id: str | None = None, waited_seconds: int = 0, older_than_hours: int | None = None
) -> Progress | Swept:
    """The state names one rehearsal and calls until it is ready; the schedule names an age. Raises SweepIncomplete."""
    sweeper = Sweeper(settings.exchange_bucket())
    if migration_id is not None:
        return _one(sweeper, migration_id, waited_seconds)
    if older_than_hours is None:
        raise errors.EventUnfit("Sweep was called without a rehearsal and without an age. Deploy the stack again.")
    return _all(sweeper, datetime.now(UTC) - timedelta(hours=older_than_hours))


def _one(sweeper: Sweeper, name: str, waited: int) -> Progress:
    # Of a rehearsal that was not planned there is nothing to wait for.
    planned = sweeper.plan(name)
    if planned is None or _take_back(sweeper, name, waited):
        return waiting.ready(waited)
    # An environment that is being upgraded, or put back after that, can be deleted when it is done: after hours.
    limit = planned["options"]["environmentTimeoutSeconds"]
    return waiting.not_ready(
        waited,
        seconds=planned["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.CleanUpTimedOut(
            f"After {limit} s, rehearsal {name} is not fully cleaned up: its environment is not deleted, or "
            "its execution still runs. The scheduled sweep tries again; or delete the environment by hand."
        ),
    )


def _all(sweeper: Sweeper, before: datetime) -> Swept:
    swept: list[str] = []
    later: list[str] = []
    failed: list[str] = []
    for name in sweeper.overdue(settings.region(), before):
        try:
            if sweeper.plan(name) is None:
                continue
            (swept if _take_back(sweeper, name, _LATER) else later).append(name)
        except (errors.MigrationError, ClientError) as error:
            # What is wrong with one rehearsal keeps no other from being swept.
            logger.warning("not swept", extra={"rehearsal": name, "error_message": str(error)})
            failed.append(name)
    if failed:
        raise errors.SweepIncomplete(
            f"Something is left of {', '.join(failed)}; the function's log says why, rehearsal by rehearsal. Fix "
            "that, or delete the environments by hand."
        )
    return Swept(swept=swept, waiting=later)


def _take_back(sweeper: Sweeper, name: str, waited: int) -> bool:
    """Takes back what it can of a rehearsal. True if nothing is left."""
    left = sweeper.one(name)
    if left is None:
        return False
    if not cleaning.clean(left.migration, left.held, cleaning.Call(settings.key_arn(), failed=True, waited=waited)):
        return False
    leftovers.delete_log_groups(left.migration)
    left.release(sweeper.locks)
    return True
