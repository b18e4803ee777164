"""Publishes the number of an environment's DAGs, as Amazon MWAA does with Airflow's gauge `dagbag_size`."""

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
# A number that does not change is published as often as Amazon MWAA does it.
_UNCHANGED_INTERVAL = 60.0


class DagMetric:
    """Follows the number of DAGs in an environment's metadata database."""

    def __init__(
        self, cloudwatch: Callable[[], CloudWatchClient], environment: str, database: MetadataDatabase, version: str
    ) -> None:
        # Made at its first use, so that no environment waits for it.
        self._cloudwatch = functools.cache(cloudwatch)
        self._environment = environment
        self._database = database
        self._version = version
        self._published: int | None = None
        self._published_at = 0.0
        self._repeating = Repeating(self._publish, _INTERVAL, f"metric of {environment}")

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        self._repeating.stop()

    def _publish(self) -> None:
        try:
            dags = self._database.count_dags(self._version)
            if dags != self._published or time.monotonic() - self._published_at >= _UNCHANGED_INTERVAL:
                publish(self._cloudwatch(), self._environment, dags)
                self._published, self._published_at = dags, time.monotonic()
        except (psycopg2.Error, ClientError, BotoCoreError) as error:
            logger.warning("the number of DAGs of %s was not published: %s", self._environment, error)


def publish(cloudwatch: CloudWatchClient, environment: str, dags: int) -> None:
    """Puts a value of DagBagSize, with the dimensions that Amazon MWAA gives it."""
    dimensions = {"Environment": environment, "Function": "DAG Processing"}
    cloudwatch.put_metric_data(
        Namespace="AmazonMWAA",
        MetricData=[
            {
                "MetricName": "DagBagSize",
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                "Value": dags,
                "Unit": "Count",
            }
        ],
    )
