"""Publishes metrics of an environment as Amazon MWAA does with Airflow's: `dagbag_size` and `scheduler_heartbeat`."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from local.aws.repeating import Repeating
from local.mwaa.metadata_database import MetadataDatabase

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

logger = logging.getLogger(__name__)

_INTERVAL = 5.0
# What does not change is published as often as Amazon MWAA does it.
_UNCHANGED_INTERVAL = 60.0
#: The age in seconds up to which a scheduler's heartbeat counts.
_FRESH = 30.0


class EnvironmentMetrics:
    """Follows the number of DAGs, and whether a scheduler lives, in an environment's metadata database."""

    def __init__(
        self, cloudwatch: Callable[[], CloudWatchClient], environment: str, database: MetadataDatabase, version: str
    ) -> None:
        # Made at its first use, so that no environment waits for it.
        self._cloudwatch = functools.cache(cloudwatch)
        self._environment = environment
        self._database = database
        self._version = version
        self._published: tuple[int, bool] | None = None
        self._published_at = 0.0
        self._repeating = Repeating(self._publish, _INTERVAL, f"metrics of {environment}")

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        self._repeating.stop()

    def _publish(self) -> None:
        try:
            age = self._database.heartbeat_age("SchedulerJob")
            found = self._database.count_dags(self._version), age is not None and age < _FRESH
            if found != self._published or time.monotonic() - self._published_at >= _UNCHANGED_INTERVAL:
                publish(self._cloudwatch(), self._environment, found[0], is_alive=found[1])
                self._published, self._published_at = found, time.monotonic()
        except (psycopg2.Error, ClientError, BotoCoreError) as error:
            logger.warning("the metrics of %s were not published: %s", self._environment, error)


def publish(cloudwatch: CloudWatchClient, environment: str, dags: int, *, is_alive: bool) -> None:
    """Puts a value of DagBagSize, and of SchedulerHeartbeat where a scheduler lives, with Amazon MWAA's dimensions."""
    values = [("DagBagSize", "DAG Processing", dags)]
    if is_alive:
        values.append(("SchedulerHeartbeat", "Scheduler", 1))
    cloudwatch.put_metric_data(
        Namespace="AmazonMWAA",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "Environment", "Value": environment}, {"Name": "Function", "Value": function}],
                "Value": value,
                "Unit": "Count",
            }
            for name, function, value in values
        ],
    )
