"""How long an operator waits for what it started."""

from __future__ import annotations

from typing import Any

from .draft import Draft
from .model import PipelineObject

_A_DAY = 24 * 60 * 60


def longest(draft: Draft, activity: PipelineObject) -> int:
    """The seconds that one try may take: the activity's limit, its resource's, or a day."""
    limits = [draft.period(activity, "attemptTimeout")]
    limits += [draft.period(resource, "terminateAfter") for resource in draft.referred(activity, "runsOn")]
    return min((limit.seconds for limit in limits if limit is not None), default=_A_DAY)


def waiter(draft: Draft, activity: PipelineObject, delay: int) -> dict[str, Any]:
    """The arguments of an operator's waiter; by its own it gives up after minutes or hours."""
    return {"waiter_delay": delay, "waiter_max_attempts": -(-longest(draft, activity) // delay)}
