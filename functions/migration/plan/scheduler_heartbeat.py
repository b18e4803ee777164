"""Whether an environment's schedulers live, as they report it to CloudWatch.

Amazon MWAA publishes Airflow's counter `scheduler_heartbeat` as SchedulerHeartbeat (its user guide, "Apache Airflow
environment metrics in CloudWatch"). Without a scheduler our DAGs are never parsed, and a migration would wait for them
until its time is up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from migration.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_NAMESPACE = "AmazonMWAA"
_METRIC = "SchedulerHeartbeat"
_FUNCTION = "Scheduler"
# A scheduler beats every few seconds, and CloudWatch has its metrics after some minutes.
_SILENT = timedelta(minutes=20)
# One that never told anything may have its metrics turned off.
_BEFORE = timedelta(days=3)


def is_silent(cloudwatch: CloudWatchClient, environment: str) -> bool:
    """Whether the schedulers' heartbeat has stopped: there was one in the last days, and none in the last 20 minutes.

    False where nothing is known: metrics are turned off, or may not be read.
    """
    now = datetime.now(UTC)
    try:
        if _beats(cloudwatch, environment, now - _SILENT, now, timedelta(minutes=1)):
            return False
        return _beats(cloudwatch, environment, now - _BEFORE, now - _SILENT, timedelta(hours=1))
    except (ClientError, BotoCoreError) as error:
        logger.warning("whether the schedulers live is not known", extra={"error_message": repr(error)})
        return False


def _beats(cloudwatch: CloudWatchClient, environment: str, since: datetime, until: datetime, period: timedelta) -> bool:
    found = cloudwatch.get_metric_statistics(
        Namespace=_NAMESPACE,
        MetricName=_METRIC,
        Dimensions=[{"Name": "Environment", "Value": environment}, {"Name": "Function", "Value": _FUNCTION}],
        StartTime=since,
        EndTime=until,
        Period=int(period.total_seconds()),
        Statistics=["Sum"],
    )["Datapoints"]
    return any(point["Sum"] > 0 for point in found)
