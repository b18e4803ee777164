"""The values that Data Pipeline gives a run (`@scheduledStartTime`), as an Airflow run has them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .expressions.values import Deferred
from .periods import Period


class Trigger(Enum):
    """When a run starts: at the beginning of its interval, at the end of it, or when somebody asks for it."""

    CRON = "cron"
    TIMESERIES = "timeseries"
    ONDEMAND = "ondemand"


#: Airflow has one value for all of them, and none in Airflow 3 where the task's process was killed.
_OF_A_FAILURE = ("errorMessage", "errorStackTrace", "errorId", "failureReason", "cancellationReason")


def of_tasks(trigger: Trigger, period: Period | None, airflow: tuple[int, ...]) -> Mapping[str, Deferred]:
    """The values for what a task renders.

    A run that starts at the beginning of its interval has, in Airflow, an interval without length; its end is counted
    from the period.
    """
    if trigger is Trigger.ONDEMAND:
        # Airflow 3 gives a run that was triggered without a logical date no data interval.
        start = end = "dag_run.run_after" if airflow >= (3,) else "data_interval_start"
    elif trigger is Trigger.CRON and period is not None:
        ((unit, count),) = period.keywords.items()
        start, end = "data_interval_start", f"data_interval_start.add({unit}={count})"
    else:
        start, end = "data_interval_start", "data_interval_end"
    times = {
        "scheduledStartTime": start,
        "scheduledEndTime": end,
        "actualStartTime": "ti.start_date",
        "actualEndTime": "ti.end_date",
        "finishedTime": "ti.end_date",
        "nextRunTime": "data_interval_end",
        "latestRunTime": "prev_data_interval_start_success",
        "latestCompletedRunTime": "prev_data_interval_end_success",
    }
    texts = {
        "pipelineId": "dag.dag_id",
        "status": "ti.state",
        "hostname": "ti.hostname",
        "attempt": "ti.try_number",
        "attemptCount": "ti.try_number",
        "currentRetryCount": "ti.try_number",
    }
    return {
        **{name: Deferred(code, "datetime") for name, code in times.items()},
        **{name: Deferred(code) for name, code in texts.items()},
        **dict.fromkeys(_OF_A_FAILURE, Deferred("exception | default('killed')", is_simple=False)),
    }
