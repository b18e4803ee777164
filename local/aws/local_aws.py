"""A local AWS as a whole: endpoint, functions, schedules and a deployed stack, started and stopped as one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from local.aws import certificates, deployment
from local.aws.deployment import Deployment, DeploymentFailed
from local.aws.endpoint import Endpoint
from local.aws.functions.function import Function
from local.aws.functions.logs import FunctionLogs
from local.aws.functions.runner import LambdaRunner
from local.aws.iam.identity import DEFAULT_REGION, Credentials, Identities
from local.aws.logs.answers import CloudWatchLogs
from local.aws.schedules import Schedules
from local.aws.stepfunctions.validation import DefinitionValidator
from local.installations import leftovers, processes


class LocalAws:
    """Use it as a context manager; only one at a time in a process, any number in processes of their own.

    Nothing is left when it ends: no process, no file. More services are added by a subclass, to the endpoint.
    """

    def __init__(self, name: str | None = None, region: str = DEFAULT_REGION) -> None:
        self.name = name or f"run-{secrets.token_hex(4)}"
        self.region = region
        self.folder = processes.RUNNING / self.name
        self.identities = Identities(region=region)
        self.endpoint = Endpoint(self.identities)
        self._deployment: Deployment | None = None
        self._function_logs: dict[str, FunctionLogs] = {}
        self._clients: dict[tuple[str, Credentials], Any] = {}
        self._making_client = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        leftovers.clear_all()
        self.folder.mkdir(parents=True)
        # Written first and again at the end: whoever clears up must find what was killed in between.
        state = self.folder / "state.json"
        state.write_text(json.dumps({"pid": os.getpid()}))
        self.certificates = certificates.make(self.folder / "certificates")
        self._start_services()
        state.touch(mode=0o600)
        state.write_text(json.dumps({"pid": os.getpid(), **self.variables()}))

    def stop(self) -> None:
        self._stop_services()
        processes.end(self.name, patience=1)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_services(self) -> None:
        self.endpoint.start()
        self.functions = LambdaRunner(self.name, self.region, self._function_environment, self._logs_of)
        self.endpoint.add(self.functions)
        self.logs = CloudWatchLogs(self.identities.account)
        self.endpoint.add(self.logs)
        self.endpoint.add(DefinitionValidator())
        self.schedules = Schedules(self.identities, self.region, self.client)

    def _stop_services(self) -> None:
        self.schedules.stop()
        self.functions.stop()
        for logs in self._function_logs.values():
            logs.close()
        self.endpoint.stop()

    def deploy(self, template: Path, stack_name: str, parameters: Mapping[str, str] | None = None) -> Deployment:
        """Deploys a template whose packages are built.

        Raises:
            local.aws.deployment.DeploymentFailed: the template or one of its resources is refused.
        """
        self._deployment = deployment.deploy(self.client, template, self.region, stack_name, parameters)
        # CloudFormation waits until the roles that it makes can be used.
        self.identities.let_policies_arrive()
        for function in self._deployment.functions.values():
            self.functions.register(function)
        # Not earlier: a schedule's target has to be there.
        self.schedules.start()
        return self._deployment

    @property
    def deployed(self) -> Deployment:
        """What `deploy` deployed last. Raises DeploymentFailed where nothing was."""
        if self._deployment is None:
            raise DeploymentFailed("nothing has been deployed")
        return self._deployment

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """A boto3 client of this AWS; by default the administrator's. The same one for the same credentials."""
        chosen = credentials or self.identities.administrator
        # boto3's default session is not for many threads at once; the clients it makes are.
        with self._making_client:
            if (service, chosen) not in self._clients:
                self._clients[service, chosen] = self.endpoint.client(
                    service, chosen, self.region, retries={"total_max_attempts": 2}, read_timeout=300
                )
            return self._clients[service, chosen]

    def variables(self) -> dict[str, str]:
        """The environment variables that point the AWS CLI and every SDK here, as the administrator."""
        return {**self.identities.administrator.environment(), **self.endpoint_variables()}

    def endpoint_variables(self) -> dict[str, str]:
        """The same without credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint.url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # For web servers of services; the endpoint itself is plain HTTP.
            "SSL_CERT_FILE": str(self.certificates.bundle),
            # It would win over the line above where somebody has set it.
            "AWS_CA_BUNDLE": str(self.certificates.bundle),
            "REQUESTS_CA_BUNDLE": str(self.certificates.bundle),
        }

    def _function_environment(self, function: Function) -> dict[str, str]:
        credentials = self.identities.assume_role(function.role_arn, function.name)
        # A function calls nothing outside, and to read the system's authorities takes 20 ms for each connection.
        trusted = dict.fromkeys(("SSL_CERT_FILE", "AWS_CA_BUNDLE"), str(self.certificates.authority))
        return {**self.endpoint_variables(), **trusted, **credentials.environment()}

    def _logs_of(self, function: Function) -> FunctionLogs:
        if function.name not in self._function_logs:
            session = self.identities.assume_role(function.role_arn, function.name)
            self._function_logs[function.name] = FunctionLogs(function.log_group, lambda: self.client("logs", session))
        return self._function_logs[function.name]
