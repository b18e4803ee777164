"""Sweep: makes sure that nothing is left of a rehearsal, whatever became of it; by schedule, of all of them.

What CleanUp has done already is found done. Amazon MWAA takes a while to delete an environment, so one rehearsal is
swept until ready, and all of them again at the schedule's next time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from migration import errors, settings, waiting
from migration.cleanup import cleaning, leftovers
from migration.cleanup.leftovers import Sweeper
from migration.observability import logger, state

_LIMIT_SECONDS = 7200
# The files were gone before: an hour ago, when the schedule was last here, or at the rehearsal's own clean-up.
_LATER = 1


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migrationId", "waitedSeconds"}` -> `{"ready", "waitSeconds", "waitedSeconds"}`; called until ready.

    `{"olderThanHours"}` -> `{"swept", "waiting"}`, ids of rehearsals. Raises SweepIncomplete.
    """
    sweeper = Sweeper(settings.exchange_bucket())
    if "migrationId" in event:
        return _one(sweeper, event)
    return _all(sweeper, datetime.now(UTC) - timedelta(hours=event["olderThanHours"]))


def _one(sweeper: Sweeper, event: dict[str, Any]) -> dict[str, Any]:
    name = event["migrationId"]
    # Of a rehearsal that was not planned there is nothing to wait for.
    planned = sweeper.plan(name)
    if planned is None or _take_back(sweeper, name, event["waitedSeconds"]):
        return waiting.ready(event)
    return waiting.not_ready(
        event,
        seconds=planned["options"]["pollSeconds"],
        limit=_LIMIT_SECONDS,
        timed_out=lambda: errors.CleanUpTimedOut(
            f"Something of rehearsal {name} is left after {_LIMIT_SECONDS} s; its environment is not gone, or its "
            "execution still runs. The scheduled sweep tries again; or delete the environment by hand."
        ),
    )


def _all(sweeper: Sweeper, before: datetime) -> dict[str, Any]:
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
            f"Something is left of {', '.join(failed)}; the function's log says why, rehearsal by rehearsal. Repair "
            "that, or delete the environments by hand."
        )
    return {"swept": swept, "waiting": later}


def _take_back(sweeper: Sweeper, name: str, waited: int) -> bool:
    """Takes back what it can of a rehearsal; tells whether nothing is left."""
    left = sweeper.one(name)
    if left is None:
        return False
    if not cleaning.clean(left.migration, left.held, cleaning.Call(settings.key_arn(), failed=True, waited=waited)):
        return False
    leftovers.delete_log_groups(left.migration)
    left.release(sweeper.locks)
    return True
