"""CloudWatch Logs' quotas, and what of them a copy may use.

The quotas are those of one account in one region, in calls a second (CloudWatch Logs user guide, "CloudWatch Logs
quotas"); some regions have smaller ones, and all can be raised, so they are parameters of the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Each operation with the quota that it counts against.
OPERATIONS = ("GetLogEvents", "FilterLogEvents", "DescribeLogStreams", "CreateLogStream", "PutLogEvents")


def share(settings: Mapping[str, Any]) -> dict[str, float]:
    """Calls a second of each operation that a copy may make in all.

    `settings` has the quotas by operation and `percent`, the part of each that a copy may use; the rest is left to the
    account's other work.
    """
    return {operation: float(settings[operation]) * float(settings["percent"]) / 100 for operation in OPERATIONS}
