"""One environment: its settings as MWAA's API shows them, and the real Airflow behind it.

Creating, updating and deleting happen in a thread of the environment's own; its status says how far they are.
"""

from __future__ import annotations

import base64
import logging
import secrets
import shutil
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.arns import iam_arn
from local.aws.certificates import Certificates
from local.aws.iam.identity import Identities, RoleNotFound
from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowCommandFailed, AirflowInstallation, UnknownAirflowVersion
from local.installations.interpreters import InterpreterNotFound
from local.installations.postgres import PostgresError, PostgresServer
from local.installations.uv import InstallationFailed
from local.mwaa import requirements_log
from local.mwaa.airflow_processes import AirflowDidNotStart, AirflowProcesses
from local.mwaa.cli_endpoint import CliEndpoint
from local.mwaa.dag_metric import DagMetric
from local.mwaa.dag_sync import DagSync, unpack_plugins
from local.mwaa.log_shipping import LogShipping
from local.mwaa.metadata_database import MetadataDatabase, RestoreFailed

logger = logging.getLogger(__name__)

#: LoggingConfiguration's modules and what their log groups are called.
LOG_MODULES = {
    "DagProcessingLogs": "DAGProcessing",
    "SchedulerLogs": "Scheduler",
    "WebserverLogs": "WebServer",
    "WorkerLogs": "Worker",
    "TaskLogs": "Task",
}

#: What can go wrong with an environment for reasons that its creator should read in LastUpdate.Error.
_FAULTS = (
    AirflowCommandFailed, AirflowDidNotStart, InstallationFailed, InterpreterNotFound, PostgresError, RestoreFailed,
    RoleNotFound, UnknownAirflowVersion, ClientError, BotoCoreError, OSError, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What environments need of the local AWS that they live in."""

    region: str
    folder: Path
    marker: str
    postgres: PostgresServer
    certificates: Certificates
    identities: Identities
    endpoint_url: Callable[[], str]
    #: A boto3 client of a service with some credentials.
    client: Callable[..., Any]


#: What is called with an environment that is about to be deleted.
LastLook = Callable[["Environment"], None]


class Environment:
    """An environment from its creation to its deletion."""

    #: What runs behind it, and where its rows are.
    airflow_type: ClassVar[type[AirflowProcesses]] = AirflowProcesses
    database_type: ClassVar[type[MetadataDatabase]] = MetadataDatabase

    def __init__(self, arn: str, settings: dict[str, Any], surroundings: Surroundings) -> None:
        """`settings` are CreateEnvironment's members, defaults filled in, Name included."""
        self.arn = arn
        self.settings = settings
        self.status = "CREATING"
        self.created_at = time.time()
        self.last_update: dict[str, Any] = {}
        self.gone = threading.Event()
        self._surroundings = surroundings
        self._folder = surroundings.folder / self.name
        self._marker = f"{surroundings.marker}/{self.name}"
        self._secrets = {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret_key": secrets.token_hex(16),
        }
        self._queue = surroundings.identities.arn("sqs", f"airflow-celery-{uuid.uuid4()}")
        self.database = self.database_type(surroundings.postgres, self.name)
        self.airflow: AirflowProcesses | None = None
        self._dag_sync: DagSync | None = None
        self._shipping: LogShipping | None = None
        self._metric: DagMetric | None = None
        self.cli = CliEndpoint(surroundings.certificates, self._command)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return str(self.settings["Name"])

    def description(self) -> dict[str, Any]:
        """As GetEnvironment has it."""
        region, identities = self._surroundings.region, self._surroundings.identities
        logging_configuration = {
            module: {
                **setting,
                "CloudWatchLogGroupArn": identities.arn("logs", f"log-group:airflow-{self.name}-{suffix}"),
            }
            for module, suffix in LOG_MODULES.items()
            if (setting := self.settings["LoggingConfiguration"].get(module)) is not None
        }
        return {
            **self.settings,
            "Arn": self.arn,
            "CeleryExecutorQueue": self._queue,
            "CreatedAt": self.created_at,
            "DatabaseVpcEndpointService": f"com.amazonaws.vpce.{region}.vpce-svc-{self.arn[-1:]}database",
            "LastUpdate": self.last_update,
            "LoggingConfiguration": logging_configuration,
            "ServiceRoleArn": iam_arn(
                region, identities.account, "role/aws-service-role/airflow.amazonaws.com/AWSServiceRoleForAmazonMWAA"
            ),
            "Status": self.status,
            "WebserverUrl": self.cli.host,
            "WebserverVpcEndpointService": f"com.amazonaws.vpce.{region}.vpce-svc-{self.arn[-1:]}webserver",
        }

    def create(self) -> None:
        """Starts the creation; the status becomes AVAILABLE or CREATE_FAILED."""
        self.cli.start()
        self._in_background(self._create)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Starts an update; the status becomes AVAILABLE, UPDATE_FAILED (put back), or UNAVAILABLE."""
        self.status = "UPDATING"
        self.last_update = {"Status": "PENDING", "CreatedAt": time.time()}
        self._in_background(lambda: self._update(changes))

    def delete(self, last_look: LastLook) -> None:
        """Starts the deletion; `gone` is set when nothing of it is left.

        Args:
            last_look: called before, while Airflow still runs; whatever it raises, the environment is deleted.
        """
        self.status = "DELETING"
        self._in_background(lambda: self._delete(last_look))

    def stop(self) -> None:
        """Ends everything at once, when nothing of it will be needed again."""
        with self._lock:
            self._stop_all(patience=0)

    def _in_background(self, work: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:
                work()

        threading.Thread(target=locked, name=f"{self.name}", daemon=True).start()

    # ------------------------------------------------------------------------------------------------- creating

    def _create(self) -> None:
        started = time.monotonic()
        try:
            installation = airflow_installation.install(self.settings["AirflowVersion"])
            self._make_log_groups()
            self._home.mkdir(parents=True, exist_ok=True)
            (self._home / "plugins").mkdir(exist_ok=True)
            self._install_plugins()
            airflow = self._processes(installation)
            self.database.create(installation, airflow.environment)
            self._start(airflow)
        except _FAULTS as error:
            logger.warning("%s was not created: %s", self.name, error)
            self._stop_airflow()
            self.last_update = _failed("INTERNAL_ERROR", error)
            self.status = "CREATE_FAILED"
            return
        self.last_update = {"Status": "SUCCESS", "CreatedAt": self.created_at}
        self.status = "AVAILABLE"
        logger.info("%s is available after %.1f s", self.name, time.monotonic() - started)

    def _start(self, airflow: AirflowProcesses) -> None:
        bucket = self.settings["SourceBucketArn"].split(":")[-1]
        self._dag_sync = DagSync(lambda: self._client("s3"), bucket, self.settings["DagS3Path"], self._home / "dags")
        self._dag_sync.start()
        self.airflow = airflow
        groups = {LOG_MODULES[module] for module in self._enabled_logs()}
        self._shipping = LogShipping(
            lambda: self._surroundings.client("logs", self._surroundings.identities.service),
            self._home,
            self.name,
            groups,
            task_files=not airflow.has_remote_task_logs,
        )
        self._shipping.start()
        self._log_requirements(airflow.installation, groups)
        airflow.start()
        self._metric = DagMetric(
            lambda: self._surroundings.client("cloudwatch", self._surroundings.identities.service),
            self.name,
            self.database,
            airflow.installation.version,
        )
        self._metric.start()

    def _processes(self, installation: AirflowInstallation) -> AirflowProcesses:
        surroundings = self._surroundings
        credentials = surroundings.identities.session(self.settings["ExecutionRoleArn"], f"AmazonMWAA-{self.name}")
        group = surroundings.identities.arn("logs", f"log-group:airflow-{self.name}-Task")
        return self.airflow_type(
            installation,
            self._home,
            self.database,
            self._marker,
            self.settings.get("AirflowConfigurationOptions", {}),
            self._secrets,
            {
                **credentials.environment(),
                "AWS_ENDPOINT_URL": surroundings.endpoint_url(),
                "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
                "AWS_REGION": surroundings.region,
                "AWS_DEFAULT_REGION": surroundings.region,
                "AWS_EXECUTION_ENV": f"Amazon_MWAA_{installation.version.replace('.', '')}",
                "AWS_EC2_METADATA_DISABLED": "true",
                "MWAA__CORE__AIRFLOW_ENV_NAME": self.name,
            },
            group if "TaskLogs" in self._enabled_logs() else None,
        )

    def _enabled_logs(self) -> list[str]:
        configuration = self.settings["LoggingConfiguration"]
        return [module for module in LOG_MODULES if configuration.get(module, {}).get("Enabled")]

    def _make_log_groups(self) -> None:
        logs = self._surroundings.client("logs", self._surroundings.identities.service)
        for module in self._enabled_logs():
            try:
                logs.create_log_group(logGroupName=f"airflow-{self.name}-{LOG_MODULES[module]}")
            except logs.exceptions.ResourceAlreadyExistsException:
                # Log groups outlive their environment, so one of the same name finds them.
                logger.info("the log group airflow-%s-%s was there", self.name, LOG_MODULES[module])

    def _install_plugins(self) -> None:
        key = self.settings.get("PluginsS3Path")
        folder = self._home / "plugins"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if key:
            bucket = self.settings["SourceBucketArn"].split(":")[-1]
            unpack_plugins(self._client("s3"), bucket, key, self.settings.get("PluginsS3ObjectVersion"), folder)

    def _log_requirements(self, installation: AirflowInstallation, groups: set[str]) -> None:
        """Logs whether the requirements can be installed. As on MWAA, the environment starts where they cannot."""
        key = self.settings.get("RequirementsS3Path")
        if not key:
            return
        pinned = self.settings.get("RequirementsS3ObjectVersion")
        body = self._client("s3").get_object(
            Bucket=self.settings["SourceBucketArn"].split(":")[-1],
            Key=key,
            **({"VersionId": pinned} if pinned else {}),
        )["Body"]
        lines = requirements_log.resolve(installation, body.read().decode(errors="replace"))
        logs = self._surroundings.client("logs", self._surroundings.identities.service)
        requirements_log.publish(logs, self.name, groups, lines)

    # ------------------------------------------------------------------------------------------------- updating

    def _update(self, changes: Mapping[str, Any]) -> None:
        before = self.settings
        after = {**before, **changes}
        after["LoggingConfiguration"] = {**before["LoggingConfiguration"], **changes.get("LoggingConfiguration", {})}
        new_version = after["AirflowVersion"] != before["AirflowVersion"]
        try:
            old = airflow_installation.install(before["AirflowVersion"])
            new = airflow_installation.install(after["AirflowVersion"])
        except _FAULTS as error:
            self.last_update = _failed("INCORRECT_CONFIGURATION", error)
            self.status = "AVAILABLE"
            return
        self._stop_airflow()
        try:
            if new_version:
                self.status = "CREATING_SNAPSHOT"
                self.database.take_snapshot()
                self.status = "UPDATING"
            self.settings = after
            self._make_log_groups()
            self._install_plugins()
            airflow = self._processes(new)
            if new_version:
                new.migrate_database(airflow.environment)
            self._start(airflow)
        except _FAULTS as error:
            logger.warning("%s was not updated: %s", self.name, error)
            self._roll_back(before, old, new_version, error)
            return
        self.database.drop_snapshot()
        self.last_update = {"Status": "SUCCESS", "CreatedAt": time.time()}
        self.status = "AVAILABLE"

    def _roll_back(
        self, before: dict[str, Any], old: AirflowInstallation, new_version: bool, cause: BaseException
    ) -> None:
        self.status = "ROLLING_BACK"
        self.last_update = _failed("INTERNAL_ERROR", cause)
        try:
            self._stop_airflow()
            if new_version:
                self.database.restore_snapshot()
            self.settings = before
            self._install_plugins()
            self._start(self._processes(old))
        except _FAULTS as error:
            logger.warning("%s was not put back: %s", self.name, error)
            self.status = "UNAVAILABLE"
            return
        self.status = "UPDATE_FAILED"

    # ------------------------------------------------------------------------------------------------- deleting

    def _delete(self, last_look: LastLook) -> None:
        try:
            last_look(self)
        finally:
            self._take_away()

    def _take_away(self) -> None:
        self._stop_all()
        self.database.drop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._surroundings.identities.forget_session(self.settings["ExecutionRoleArn"], f"AmazonMWAA-{self.name}")
        self.status = "DELETED"
        self.gone.set()

    def _stop_all(self, patience: float = 10.0) -> None:
        self._stop_airflow(patience)
        self.cli.stop()

    def _stop_airflow(self, patience: float = 10.0) -> None:
        # Before anybody copies the database or drops it: it reads there.
        if self._metric is not None:
            self._metric.stop()
        if self.airflow is not None:
            self.airflow.stop(patience)
        if self._dag_sync is not None:
            self._dag_sync.stop()
        if self._shipping is not None:
            self._shipping.stop()
        self.airflow = self._dag_sync = self._shipping = self._metric = None

    # --------------------------------------------------------------------------------------------------- others

    @property
    def _home(self) -> Path:
        return self._folder / "airflow"

    def _client(self, service: str) -> Any:
        """A client with the execution role's rights."""
        identities = self._surroundings.identities
        session = identities.session(self.settings["ExecutionRoleArn"], f"AmazonMWAA-{self.name}")
        return self._surroundings.client(service, session)

    def _command(self, arguments: list[str], timeout: float) -> Any:
        if self.airflow is None:
            raise AirflowDidNotStart(f"{self.name} is {self.status}; its Airflow does not run")
        return self.airflow.command(arguments, timeout)


def _failed(code: str, error: BaseException) -> dict[str, Any]:
    # MWAA's ErrorMessage has at most 1024 characters; what matters of a traceback stands at its end.
    return {
        "Status": "FAILED",
        "CreatedAt": time.time(),
        "Error": {"ErrorCode": code, "ErrorMessage": str(error)[-1024:]},
    }
