"""Amazon MWAA's API: its operations, with its errors, over the environments of one local AWS."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from botocore.exceptions import ClientError
from werkzeug.wrappers import Response

from local.aws.iam.identity import RoleNotFound
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError, json_response
from local.installations import airflow_installation
from local.mwaa.airflow_processes import AirflowDidNotStart
from local.mwaa.environment import LOG_MODULES, Environment, LastLook, Surroundings
from local.mwaa.validation import validate

logger = logging.getLogger(__name__)

#: MWAA upgrades to 3.x from this version's latest patch only.
_LAST_OF_2 = (2, 11)
_READY = ("AVAILABLE", "UPDATE_FAILED")
_DEFAULTS: dict[str, Any] = {
    "EnvironmentClass": "mw1.small",
    "MaxWorkers": 10,
    "MinWorkers": 1,
    "MaxWebservers": 2,
    "MinWebservers": 2,
    "WebserverAccessMode": "PRIVATE_ONLY",
    "EndpointManagement": "SERVICE",
    "WeeklyMaintenanceWindowStart": "SUN:03:30",
}


class MwaaControlPlane:
    """Answers requests signed for `airflow`.

    Attributes:
        last_look: called with each environment before it is deleted, while its Airflow still runs. For whoever wants to
            see what a throw-away target was like; the deletion waits for it, and happens whatever it raises.
        quota: environments that there can be at once; None is no limit. An account has one (Service Quotas).
    """

    def __init__(self, surroundings: Surroundings, kind: type[Environment] = Environment) -> None:
        self.last_look: LastLook = lambda _: None
        self.quota: int | None = None
        self._kind = kind
        self._surroundings = surroundings
        self._environments: dict[str, Environment] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "CreateEnvironment": self._create,
            "GetEnvironment": lambda p: {"Environment": self.environment(p["Name"]).description()},
            "ListEnvironments": self._list,
            "UpdateEnvironment": self._update,
            "DeleteEnvironment": self._delete,
            "CreateCliToken": self._cli_token,
            "CreateWebLoginToken": self._web_token,
            "InvokeRestApi": self._rest_api,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": lambda p: {"Tags": self._of_arn(p["ResourceArn"]).settings.get("Tags", {})},
            # Environments publish metrics about themselves with this; nobody reads them here.
            "PublishMetrics": lambda _: {},
        }

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "mwaa"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        if request.invalid:
            raise AwsError("ValidationException", request.invalid)
        validate(request.operation, request.parameters)
        return json_response(self._operations[request.operation.name](request.parameters))

    def tags_of(self, request: AwsRequest) -> Mapping[str, str]:
        with self._lock:
            found = self._environments.get(request.parameters.get("Name", ""))
        tags: Mapping[str, str] = found.settings.get("Tags", {}) if found is not None else {}
        return tags

    def environment(self, name: str) -> Environment:
        """
        Raises:
            AwsError: ResourceNotFoundException.
        """
        with self._lock:
            found = self._environments.get(name)
            if found is not None and found.gone.is_set():
                del self._environments[name]
                found = None
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Environment {name} was not found.", 404)
        return found

    def stop(self) -> None:
        """Ends every environment's processes."""
        for environment in list(self._environments.values()):
            if not environment.gone.is_set():
                environment.stop()

    # ----------------------------------------------------------------------------------------------- environments

    def _create(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["Name"]
        surroundings = self._surroundings
        settings = {**_DEFAULTS, **parameters}
        settings.setdefault("AirflowVersion", airflow_installation.versions()[-1])
        settings.setdefault("Schedulers", 1 if settings["AirflowVersion"].startswith("1.") else 2)
        settings["LoggingConfiguration"] = _logging(parameters.get("LoggingConfiguration", {}))
        settings.setdefault("AirflowConfigurationOptions", {})
        settings.setdefault("Tags", {})
        self._check(settings)
        arn = surroundings.identities.arn("airflow", f"environment/{name}")
        with self._lock:
            existing = self._environments.get(name)
            if existing is not None and not existing.gone.is_set():
                raise AwsError("ValidationException", f"Environment {name} already exists.")
            there_are = [one for one in self._environments.values() if not one.gone.is_set()]
            if self.quota is not None and len(there_are) >= self.quota:
                # The API model has no error of its own for this.
                raise AwsError("ValidationException", f"The quota of {self.quota} environments has been reached.")
            environment = self._environments[name] = self._kind(arn, settings, surroundings)
        environment.create()
        return {"Arn": arn}

    def _update(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self.environment(parameters["Name"])
        changes = {
            name: value for name, value in parameters.items() if name not in ("Name", "WorkerReplacementStrategy")
        }
        if "LoggingConfiguration" in changes:
            current = environment.settings["LoggingConfiguration"]
            changes["LoggingConfiguration"] = {
                module: {**current.get(module, {}), **setting}
                for module, setting in changes["LoggingConfiguration"].items()
            }
        if "NetworkConfiguration" in changes:
            network = environment.settings["NetworkConfiguration"]
            changes["NetworkConfiguration"] = {**network, **changes["NetworkConfiguration"]}
        with self._lock:
            if environment.status not in _READY:
                raise AwsError(
                    "ValidationException",
                    f"Environment {environment.name} is {environment.status}; it can be updated when it is AVAILABLE.",
                )
            _check_upgrade(environment.settings["AirflowVersion"], changes.get("AirflowVersion"))
            self._check({**environment.settings, **changes})
            environment.update(changes)
        return {"Arn": environment.arn}

    def _delete(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self.environment(parameters["Name"])
        with self._lock:
            if environment.status in ("CREATING", "UPDATING", "CREATING_SNAPSHOT", "ROLLING_BACK", "DELETING"):
                raise AwsError(
                    "ValidationException",
                    f"Environment {environment.name} is {environment.status} and cannot be deleted now.",
                )
            environment.delete(self.last_look)
        return {}

    def _list(self, parameters: dict[str, Any]) -> dict[str, Any]:
        names = sorted(name for name, e in self._environments.items() if not e.gone.is_set())
        after = parameters.get("NextToken", "")
        rest = [name for name in names if name > after]
        page = rest[: int(parameters.get("MaxResults", 25))]
        more = {"NextToken": page[-1]} if len(rest) > len(page) else {}
        return {"Environments": page, **more}

    def _check(self, settings: Mapping[str, Any]) -> None:
        """What MWAA checks before it accepts an environment.

        Raises:
            AwsError: ValidationException.
        """
        surroundings = self._surroundings
        role = settings["ExecutionRoleArn"]
        try:
            trusted = surroundings.identities.trusts(role, "airflow-env.amazonaws.com")
        except RoleNotFound as error:
            raise AwsError("ValidationException", f"The execution role does not exist: {role}") from error
        if not trusted:
            raise AwsError(
                "ValidationException",
                f"The execution role {role} must be assumable by airflow-env.amazonaws.com and airflow.amazonaws.com.",
            )
        version = settings["AirflowVersion"]
        if version not in airflow_installation.versions():
            raise AwsError(
                "ValidationException",
                f"The Airflow version {version} is not supported here; choose one of "
                f"{', '.join(airflow_installation.versions())}.",
            )
        if settings["MinWorkers"] > settings["MaxWorkers"]:
            raise AwsError("ValidationException", "MinWorkers must not be greater than MaxWorkers.")
        self._check_bucket(settings)

    def _check_bucket(self, settings: Mapping[str, Any]) -> None:
        bucket = settings["SourceBucketArn"].split(":")[-1]
        s3 = self._surroundings.client("s3", self._surroundings.identities.service)
        try:
            versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status")
            if versioning != "Enabled":
                raise AwsError("ValidationException", f"The bucket {bucket} must have versioning enabled.")
            location = s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
            if location != self._surroundings.region:
                raise AwsError("ValidationException", f"The bucket {bucket} is in {location}, not in this region.")
            for path, version in (
                ("RequirementsS3Path", "RequirementsS3ObjectVersion"),
                ("PluginsS3Path", "PluginsS3ObjectVersion"),
                ("StartupScriptS3Path", "StartupScriptS3ObjectVersion"),
            ):
                if settings.get(path):
                    chosen = {"VersionId": settings[version]} if settings.get(version) else {}
                    s3.head_object(Bucket=bucket, Key=settings[path], **chosen)
        except ClientError as error:
            raise AwsError("ValidationException", f"The bucket {bucket} or an object in it: {error}") from error

    # -------------------------------------------------------------------------------------------------- web server

    def _cli_token(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._reachable(parameters["Name"])
        return {"CliToken": environment.cli.token(), "WebServerHostname": environment.cli.host}

    def _web_token(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._reachable(parameters["Name"])
        return {
            "WebToken": environment.cli.token(),
            "WebServerHostname": environment.cli.host,
            "IamIdentity": "administrator",
            "AirflowIdentity": "administrator",
        }

    def _rest_api(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Calls Airflow's REST API; the answer is Airflow's own."""
        environment = self._reachable(parameters["Name"])
        airflow = environment.airflow
        if airflow is None or airflow.installation.release < (2, 4, 3):
            raise AwsError("ValidationException", "InvokeRestApi needs Airflow 2.4.3 or later.")
        try:
            base = airflow.rest_api()
        except AirflowDidNotStart as error:
            raise AwsError("InternalServerException", str(error)[-1000:], 500) from error
        headers = {}
        if airflow.installation.release >= (3,):
            origin = base.removesuffix("/api/v2")
            headers["Authorization"] = (
                f"Bearer {requests.get(f'{origin}/auth/token', timeout=30).json()['access_token']}"
            )
        query = urlencode(parameters.get("QueryParameters") or {}, doseq=True)
        answer = requests.request(
            parameters["Method"],
            f"{base}{parameters['Path']}{'?' if query else ''}{query}",
            json=parameters.get("Body"),
            headers={**headers, "Accept": "application/json"},
            timeout=60,
        )
        try:
            content = answer.json() if answer.content else {}
        except ValueError:
            content = answer.text
        if answer.status_code >= 400:
            kind = "RestApiClientException" if answer.status_code < 500 else "RestApiServerException"
            raise AwsError(
                kind, json.dumps(content), 400, RestApiStatusCode=answer.status_code, RestApiResponse=content
            )
        return {"RestApiStatusCode": answer.status_code, "RestApiResponse": content}

    def _reachable(self, name: str) -> Environment:
        environment = self.environment(name)
        if environment.status in ("CREATING", "CREATE_FAILED", "DELETING") or environment.airflow is None:
            raise AwsError("ResourceNotFoundException", f"Environment {name} is {environment.status}.", 404)
        return environment

    # -------------------------------------------------------------------------------------------------------- tags

    def _of_arn(self, arn: str) -> Environment:
        return self.environment(re.sub(r".*environment/", "", arn))

    def _tag(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._of_arn(parameters["ResourceArn"])
        environment.settings["Tags"] = {**environment.settings.get("Tags", {}), **parameters["Tags"]}
        return {}

    def _untag(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._of_arn(parameters["ResourceArn"])
        tags = environment.settings.get("Tags", {})
        environment.settings["Tags"] = {k: v for k, v in tags.items() if k not in parameters["tagKeys"]}
        return {}


def _logging(given: Mapping[str, Any]) -> dict[str, Any]:
    """Task logs are on unless they are turned off; the others are off unless they are turned on."""
    return {
        module: {"Enabled": module == "TaskLogs", "LogLevel": "INFO", **given.get(module, {})} for module in LOG_MODULES
    }


def _check_upgrade(current: str, wanted: str | None) -> None:
    """Which versions an environment can be updated to; see docs/local-aws.md for the one that is left out here.

    Raises:
        AwsError: ValidationException.
    """
    if wanted is None or wanted == current:
        return
    before, after = (tuple(int(part) for part in version.split(".")) for version in (current, wanted))
    latest = [v for v in airflow_installation.versions() if v.startswith("2.11.")][-1]
    if after < before:
        raise AwsError("ValidationException", f"Downgrading from {current} to {wanted} is not supported here.")
    if after[0] > before[0] and not (before[0] == 2 and before[:2] == _LAST_OF_2 and current == latest):
        raise AwsError(
            "ValidationException",
            f"An environment can be upgraded to {after[0]}.x only from {latest}; this one is {current}.",
        )
    if after[0] > before[0] + 1:
        raise AwsError("ValidationException", f"Upgrading from {current} to {wanted} is not supported.")
