"""Amazon MWAA's API: its operations and its errors, over the environments of one local AWS."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Response

from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError, json_response
from local.installations import airflow_installation
from local.mwaa import environment_rules, log_groups, rest_api
from local.mwaa.airflow_processes import AirflowProcesses
from local.mwaa.environment import BeforeDeletion, Environment
from local.mwaa.surroundings import Surroundings
from local.mwaa.validation import validate

_READY = ("AVAILABLE", "UPDATE_FAILED")
_DEFAULTS: dict[str, Any] = {
    "EnvironmentClass": "mw1.small",
    "MaxWorkers": 10,
    "MinWorkers": 1,
    "WebserverAccessMode": "PRIVATE_ONLY",
    "EndpointManagement": "SERVICE",
    "WeeklyMaintenanceWindowStart": "SUN:03:30",
}


class MwaaControlPlane:
    """Answers requests signed for `airflow`.

    Attributes:
        before_deletion: called with each environment that is about to be deleted, while its Airflow still runs, so that
            a throw-away target can be inspected. The deletion waits for it, and happens whatever it raises.
        quota: how many environments there can be at once, as Service Quotas limits them; None is no limit.
    """

    def __init__(self, surroundings: Surroundings, kind: type[Environment] = Environment) -> None:
        self.before_deletion: BeforeDeletion = lambda _: None
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
            "InvokeRestApi": self._invoke_rest_api,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": lambda p: {"Tags": self._of_arn(p["ResourceArn"]).settings.get("Tags", {})},
            # Airflow's processes publish metrics about themselves with it, which nobody reads here.
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
        settings = {
            **environment_rules.defaults(settings["EnvironmentClass"], settings["AirflowVersion"]),
            **settings,
        }
        settings["LoggingConfiguration"] = log_groups.configuration(parameters.get("LoggingConfiguration", {}))
        settings.setdefault("AirflowConfigurationOptions", {})
        settings.setdefault("Tags", {})
        environment_rules.check_settings(settings, surroundings)
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
        if "Teams" in changes:
            teams = {**environment.settings.get("Teams", {}), **changes["Teams"].get("AddOrUpdate", {})}
            changes["Teams"] = {
                name: team for name, team in teams.items() if name not in changes["Teams"].get("Remove", ())
            }
        with self._lock:
            if environment.status not in _READY:
                raise AwsError(
                    "ValidationException",
                    f"Environment {environment.name} is {environment.status}; it can be updated when it is AVAILABLE.",
                )
            environment_rules.check_upgrade(environment.settings["AirflowVersion"], changes.get("AirflowVersion"))
            environment_rules.check_settings({**environment.settings, **changes}, self._surroundings)
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
            environment.delete(self.before_deletion)
        return {}

    def _list(self, parameters: dict[str, Any]) -> dict[str, Any]:
        names = sorted(name for name, e in self._environments.items() if not e.gone.is_set())
        after = parameters.get("NextToken", "")
        rest = [name for name in names if name > after]
        page = rest[: int(parameters.get("MaxResults", 25))]
        more = {"NextToken": page[-1]} if len(rest) > len(page) else {}
        return {"Environments": page, **more}

    # -------------------------------------------------------------------------------------------------- web server

    def _cli_token(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._reachable(parameters["Name"])
        return {"CliToken": environment.cli.new_token(), "WebServerHostname": environment.cli.host}

    def _web_token(self, parameters: dict[str, Any]) -> dict[str, Any]:
        environment = self._reachable(parameters["Name"])
        return {
            "WebToken": environment.cli.new_token(),
            "WebServerHostname": environment.cli.host,
            "IamIdentity": "administrator",
            "AirflowIdentity": "administrator",
        }

    def _invoke_rest_api(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return rest_api.invoke(self._airflow(parameters["Name"]), parameters)

    def _airflow(self, name: str) -> AirflowProcesses:
        airflow = self._reachable(name).airflow
        if airflow is None:
            raise AwsError("ResourceNotFoundException", f"Environment {name} has no Airflow that runs.", 404)
        return airflow

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
