"""One environment from its creation to its deletion: its settings and status, and the real Airflow behind it.

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
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.arns import iam_arn
from local.aws.iam.identity import RoleNotFound
from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowCommandFailed, AirflowInstallation, UnknownAirflowVersion
from local.installations.empty_airflow_database import RestoreFailed
from local.installations.interpreters import InterpreterNotFound
from local.installations.postgres import PostgresError
from local.installations.uv import InstallationFailed
from local.mwaa import airflow_variables, environment_rules, log_groups
from local.mwaa.airflow_processes import AirflowDidNotStart, AirflowProcesses
from local.mwaa.airflow_variables import AirflowSettings
from local.mwaa.cli_endpoint import CliEndpoint, makes_run_without_date
from local.mwaa.components import Components
from local.mwaa.dag_sync import unpack_plugins
from local.mwaa.metadata_database import MetadataDatabase
from local.mwaa.surroundings import Surroundings

logger = logging.getLogger(__name__)

#: What can go wrong with an environment for reasons that its creator should read in LastUpdate.Error.
_FAULTS = (
    AirflowCommandFailed, AirflowDidNotStart, InstallationFailed, InterpreterNotFound, PostgresError, RestoreFailed,
    RoleNotFound, UnknownAirflowVersion, ClientError, BotoCoreError, OSError, zipfile.BadZipFile,
)  # fmt: skip

#: Of an update that somebody has asked for. Which words an account uses is documented nowhere.
_SOURCE = "UpdateEnvironment"

#: Called with an environment that is about to be deleted.
BeforeDeletion = Callable[["Environment"], None]


class Environment:
    """
    Attributes:
        settings: CreateEnvironment's members, defaults included.
        airflow: the Airflow that runs; None where none does.
        gone: set when it is deleted and nothing of it is left.
    """

    #: What runs behind it, and where its rows are.
    airflow_type: ClassVar[type[AirflowProcesses]] = AirflowProcesses
    database_type: ClassVar[type[MetadataDatabase]] = MetadataDatabase

    def __init__(self, arn: str, settings: dict[str, Any], surroundings: Surroundings) -> None:
        self.arn = arn
        self.settings = settings
        self.status = "CREATING"
        self.created_at = time.time()
        self.last_update: dict[str, Any] = {}
        self.gone = threading.Event()
        self._surroundings = surroundings
        self._folder = surroundings.folder / self.name
        self._home = self._folder / "airflow"
        self._marker = f"{surroundings.marker}/{self.name}"
        self._fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self._secret_key = secrets.token_hex(16)
        self._queue = surroundings.identities.arn("sqs", f"airflow-celery-{uuid.uuid4()}")
        self.database = self.database_type(surroundings.postgres, self.name)
        self.airflow: AirflowProcesses | None = None
        self._components: Components | None = None
        self.cli = CliEndpoint(
            surroundings.certificates, self._command, airflow_version=lambda: str(self.settings["AirflowVersion"])
        )
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
                "CloudWatchLogGroupArn": identities.arn(
                    "logs", f"log-group:{log_groups.group_name(self.name, module)}"
                ),
            }
            for module, setting in self.settings["LoggingConfiguration"].items()
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
        """Starts an update; the status becomes AVAILABLE, UPDATE_FAILED (put back), or UNAVAILABLE.

        A change of version is UPDATING, CREATING_SNAPSHOT and again UPDATING, or ROLLING_BACK before it is put back.
        """
        self.status = "UPDATING"
        self.last_update = {"Status": "PENDING", "CreatedAt": time.time(), "Source": _SOURCE}
        self._in_background(lambda: self._update(changes))

    def delete(self, before: BeforeDeletion) -> None:
        """Starts the deletion; `gone` is set when nothing is left.

        Args:
            before: called first, while Airflow still runs; whatever it raises, the environment is deleted.
        """
        self.status = "DELETING"
        self._in_background(lambda: self._delete(before))

    def stop(self) -> None:
        """Ends everything at once, when nothing of it will be needed again."""
        with self._lock:
            self._stop_airflow(patience=0)
            self.cli.stop()

    def _in_background(self, work: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:
                work()

        threading.Thread(target=locked, name=self.name, daemon=True).start()

    # ------------------------------------------------------------------------------------------------- creating

    def _create(self) -> None:
        started = time.monotonic()
        try:
            installation = airflow_installation.install(self.settings["AirflowVersion"])
            self._make_log_groups()
            self._install_plugins()
            airflow = self._new_airflow(installation)
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

    def _make_log_groups(self) -> None:
        log_groups.create(self._surroundings.service_client("logs"), self.name, log_groups.enabled(self.settings))

    def _install_plugins(self) -> None:
        """Puts the plugins into their folder, in place of what was there."""
        folder, key = self._home / "plugins", self.settings.get("PluginsS3Path")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if key:
            bucket = self.settings["SourceBucketArn"].split(":")[-1]
            unpack_plugins(self._client("s3"), bucket, key, self.settings.get("PluginsS3ObjectVersion"), folder)

    def _new_airflow(self, installation: AirflowInstallation) -> AirflowProcesses:
        surroundings, identities = self._surroundings, self._surroundings.identities
        task_group = identities.arn("logs", f"log-group:{log_groups.group_name(self.name, 'TaskLogs')}")
        settings = AirflowSettings(
            self.settings.get("AirflowConfigurationOptions", {}),
            self._fernet_key,
            self._secret_key,
            {
                **identities.assume_role(self.settings["ExecutionRoleArn"], self._session_name).environment(),
                "AWS_ENDPOINT_URL": surroundings.endpoint_url(),
                "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
                "AWS_REGION": surroundings.region,
                "AWS_DEFAULT_REGION": surroundings.region,
                "AWS_EXECUTION_ENV": f"Amazon_MWAA_{installation.version.replace('.', '')}",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AIRFLOW_ENV_NAME": self.name,
            },
            surroundings.database_proxy,
            task_group if "TaskLogs" in log_groups.enabled(self.settings) else None,
        )
        airflow_variables.install_local_settings(installation, self._home)
        return self.airflow_type(installation, self._home, self.database, self._marker, settings)

    def _start(self, airflow: AirflowProcesses) -> None:
        self._components = Components(
            self.settings, self._home, airflow, self.database, self._surroundings, self._client
        )
        self.airflow = airflow
        self._components.start()

    def _stop_airflow(self, patience: float = 10.0) -> None:
        if self._components is not None:
            self._components.stop(patience)
        self.airflow = self._components = None

    # ------------------------------------------------------------------------------------------------- updating

    def _update(self, changes: Mapping[str, Any]) -> None:
        before = self.settings
        after = environment_rules.updated(before, changes)
        new_version = after["AirflowVersion"] != before["AirflowVersion"]
        try:
            old = airflow_installation.install(before["AirflowVersion"])
            new = airflow_installation.install(after["AirflowVersion"])
        except _FAULTS as error:
            self.last_update = {**_failed("INCORRECT_CONFIGURATION", error), "Source": _SOURCE}
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
            if new_version:
                with self.database.new_sessions_as_owner():
                    if new.release < old.release:
                        self._new_airflow(old).downgrade_database(new.version)
                        # With the defaults of the newer one, which the older one cannot read.
                        (self._home / "airflow.cfg").unlink(missing_ok=True)
                    airflow = self._new_airflow(new)
                    airflow.migrate_database()
            else:
                airflow = self._new_airflow(new)
            self._start(airflow)
        except _FAULTS as error:
            logger.warning("%s was not updated: %s", self.name, error)
            self._roll_back(before, old, new_version, error)
            return
        self.database.drop_snapshot()
        self.last_update = {"Status": "SUCCESS", "CreatedAt": time.time(), "Source": _SOURCE}
        self.status = "AVAILABLE"

    def _roll_back(
        self, before: dict[str, Any], old: AirflowInstallation, new_version: bool, cause: BaseException
    ) -> None:
        self.status = "ROLLING_BACK"
        self.last_update = {**_failed("INTERNAL_ERROR", cause), "Source": _SOURCE}
        try:
            self._stop_airflow()
            if new_version:
                self.database.restore_snapshot()
            self.settings = before
            self._install_plugins()
            self._start(self._new_airflow(old))
        except _FAULTS as error:
            logger.warning("%s was not put back: %s", self.name, error)
            self.status = "UNAVAILABLE"
            return
        self.status = "UPDATE_FAILED"

    # ------------------------------------------------------------------------------------------------- deleting

    def _delete(self, before: BeforeDeletion) -> None:
        try:
            before(self)
        finally:
            self._stop_airflow()
            self.cli.stop()
            self.database.drop()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._surroundings.identities.forget_session(self.settings["ExecutionRoleArn"], self._session_name)
            self.status = "DELETED"
            self.gone.set()

    # --------------------------------------------------------------------------------------------------- others

    @property
    def _session_name(self) -> str:
        return f"AmazonMWAA-{self.name}"

    def _client(self, service: str) -> Any:
        """A client with the execution role's rights."""
        session = self._surroundings.identities.assume_role(self.settings["ExecutionRoleArn"], self._session_name)
        return self._surroundings.client(service, session)

    def _command(self, arguments: list[str], timeout: float) -> Any:
        if self.airflow is None:
            raise AirflowDidNotStart(f"{self.name} is {self.status}; its Airflow does not run")
        if makes_run_without_date(arguments, self.settings["AirflowVersion"]):
            return self.airflow.trigger_held(arguments, timeout)
        return self.airflow.command(arguments, timeout)


def _failed(code: str, error: BaseException) -> dict[str, Any]:
    # MWAA's ErrorMessage has at most 1024 characters; what matters of a traceback stands at its end.
    return {
        "Status": "FAILED",
        "CreatedAt": time.time(),
        "Error": {"ErrorCode": code, "ErrorMessage": str(error)[-1024:]},
    }
