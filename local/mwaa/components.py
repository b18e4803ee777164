"""All that runs for an environment: Airflow, and what connects it with S3, CloudWatch Logs and CloudWatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.mwaa import airflow_variables, log_groups, requirements_log
from local.mwaa.airflow_processes import AirflowProcesses
from local.mwaa.dag_folders import DagFolders
from local.mwaa.dag_sync import DagSync
from local.mwaa.environment_metrics import EnvironmentMetrics
from local.mwaa.log_shipping import LogShipping
from local.mwaa.metadata_database import MetadataDatabase
from local.mwaa.surroundings import Surroundings


class Components:
    """Started and stopped as a whole."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        home: Path,
        airflow: AirflowProcesses,
        database: MetadataDatabase,
        surroundings: Surroundings,
        role_client: Callable[[str], Any],
    ) -> None:
        """
        Args:
            settings: CreateEnvironment's members.
            role_client: makes a client of a service with the execution role's rights.
        """
        self.airflow = airflow
        self._settings = settings
        self._name = settings["Name"]
        self._surroundings = surroundings
        self._role_client = role_client
        self._bucket = settings["SourceBucketArn"].split(":")[-1]
        self._groups = {log_groups.SUFFIXES[module] for module in log_groups.enabled(settings)}
        version = airflow.installation.version
        self._dag_sync = DagSync(
            lambda: role_client("s3"),
            self._bucket,
            settings["DagS3Path"],
            DagFolders.of_home(home),
            surroundings.last_write,
        )
        self._shipping = LogShipping(
            lambda: surroundings.service_client("logs"),
            home,
            self._name,
            self._groups,
            task_files=not airflow_variables.has_remote_task_logs(airflow.installation),
        )
        self._metrics = EnvironmentMetrics(
            lambda: surroundings.service_client("cloudwatch"), self._name, database, version
        )

    def start(self) -> None:
        """Returns when Airflow works.

        Raises:
            local.mwaa.airflow_processes.AirflowDidNotStart: it does not.
            botocore.exceptions.ClientError: the execution role cannot read the DAGs or the requirements.
        """
        self._dag_sync.start()
        self._shipping.start()
        self._log_requirements()
        self.airflow.start()
        self._metrics.start()

    def stop(self, patience: float) -> None:
        """Ends everything; what of Airflow has not ended after `patience` seconds is killed."""
        # The metrics first: they are read from the database, which is copied or dropped next.
        self._metrics.stop()
        self.airflow.stop(patience)
        self._dag_sync.stop()
        self._shipping.stop()

    def _log_requirements(self) -> None:
        """Logs whether the requirements can be installed. As on MWAA, the environment starts where they cannot."""
        key, pinned = self._settings.get("RequirementsS3Path"), self._settings.get("RequirementsS3ObjectVersion")
        if not key:
            return
        version = {"VersionId": pinned} if pinned else {}
        body = self._role_client("s3").get_object(Bucket=self._bucket, Key=key, **version)["Body"]
        lines = requirements_log.resolve(self.airflow.installation, requirements_log.decoded(body.read()))
        requirements_log.publish(self._surroundings.service_client("logs"), self._name, self._groups, lines)
