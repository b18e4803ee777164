"""How many DAGs an environment has, as its schedulers report it to CloudWatch.

Amazon MWAA publishes Airflow's gauge `dagbag_size` as DagBagSize (its user guide, "Apache Airflow environment metrics
in CloudWatch"): the number that a class's capacity is about, for every Airflow version, and without a way to the web
server, where listing the DAGs means parsing them all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from migration.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_NAMESPACE = "AmazonMWAA"
_METRIC = "DagBagSize"
_FUNCTION = "DAG Processing"
# A scheduler that has just started counts up from nothing, so the maximum of an hour is the number.
_LOOKED_AT = timedelta(hours=1)
_PERIOD = 300


def of(cloudwatch: CloudWatchClient, environment: str) -> int | None:
    """The DAGs of an environment; None where that is not known: metrics are turned off, or may not be read."""
    until = datetime.now(UTC)
    try:
        found = cloudwatch.get_metric_statistics(
            Namespace=_NAMESPACE,
            MetricName=_METRIC,
            Dimensions=[{"Name": "Environment", "Value": environment}, {"Name": "Function", "Value": _FUNCTION}],
            StartTime=until - _LOOKED_AT,
            EndTime=until,
            Period=_PERIOD,
            Statistics=["Maximum"],
        )["Datapoints"]
    except (ClientError, BotoCoreError) as error:
        # What depends on it has an answer without it, and the command line's dry run has the rights of its user.
        logger.warning("the number of DAGs is not known", extra={"error_message": repr(error)})
        return None
    return max((round(point["Maximum"]) for point in found), default=None)
