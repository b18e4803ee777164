"""The names of a migration's phases, as they are recorded and as the report shows them."""

from __future__ import annotations

PLAN = "plan"
CREATE_TARGET = "create target"
STAGE_RESOURCES = "stage resources"
CHECK_SOURCE = "check source"
CHECK_TARGET = "check target"
FALL_BACK = "fall back"
COPY_LOGS_EARLY = "copy logs early"
# A part of the export's run, which the report shows by itself.
QUIESCE = "quiesce"
EXPORT = "export"
IMPORT = "import"
COMPARE = "compare source"
VERIFY = "verify"
HOP = "hop to "
COPY_LOGS = "copy logs"
CUT_OVER = "cut over"
ROLL_BACK = "roll back"
RESUME = "resume"


def hop_to(airflow_version: str) -> str:
    """The phase of an upgrade in place."""
    return f"{HOP}{airflow_version}"
