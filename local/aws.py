"""A whole local AWS: endpoint, PostgreSQL, Lambda, MWAA and the deployed application, started and stopped as one."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from local import certificates, deployment, leftovers, processes
from local.deployment import Deployment, DeploymentFailed
from local.endpoint import Endpoint
from local.function_logs import FunctionLogs
from local.identity import REGION, Credentials, Identities
from local.lambda_runner import Function, LambdaRunner
from local.mwaa.control_plane import MwaaControlPlane
from local.mwaa.environment import Environment, Surroundings
from local.postgres import PostgresServer
from local.price_list import PriceList
from local.schedules import Schedules

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent


class LocalAws:
    """Use it as a context manager; only one at a time in a process, any number in processes of their own.

    Nothing is left when it ends: no process, no file.
    """

    def __init__(
        self, name: str | None = None, region: str = REGION, environments: type[Environment] = Environment
    ) -> None:
        """
        Args:
            environments: what stands behind Amazon MWAA's API; real Airflow, unless a test wants something lighter.
        """
        self.name = name or f"run-{secrets.token_hex(4)}"
        self.region = region
        self.folder = processes.RUNNING / self.name
        self._environments = environments
        self.identities = Identities(region=region)
        self.endpoint = Endpoint(self.identities)
        self.postgres = PostgresServer(self.folder / "postgres")
        self.deployment: Deployment | None = None
        self._function_logs: dict[str, FunctionLogs] = {}

    def __enter__(self) -> LocalAws:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        leftovers.clear_all()
        self.folder.mkdir(parents=True)
        # Written first and again at the end: whoever clears up must find what was killed in between.
        state = self.folder / "state.json"
        state.write_text(json.dumps({"pid": os.getpid()}))
        self.certificates = certificates.make(self.folder / "certificates")
        self.postgres.start()
        self.endpoint.start()
        self.functions = LambdaRunner(self.region, self._function_environment, self._logs_of)
        self.mwaa = MwaaControlPlane(
            Surroundings(
                region=self.region,
                folder=self.folder / "environments",
                marker=self.name,
                postgres=self.postgres,
                certificates=self.certificates,
                identities=self.identities,
                endpoint_url=lambda: self.endpoint.url,
                client=self.client,
            ),
            self._environments,
        )
        self.endpoint.add(self.functions)
        self.endpoint.add(self.mwaa)
        self.endpoint.add(PriceList())
        self.schedules = Schedules(self.identities, self.region, self.client)
        state.touch(mode=0o600)
        state.write_text(json.dumps({"pid": os.getpid(), **self.variables()}))

    def stop(self) -> None:
        self.schedules.stop()
        self.mwaa.stop()
        self.functions.stop()
        for logs in self._function_logs.values():
            logs.close()
        self.endpoint.stop()
        self.postgres.stop()
        processes.end(self.name, patience=1)
        shutil.rmtree(self.folder, ignore_errors=True)

    def deploy(
        self,
        template: Path | None = None,
        stack_name: str = "mwaa-migrator",
        parameters: Mapping[str, str] | None = None,
    ) -> Deployment:
        """Deploys a built template; by default the application's own, built now if it has changed.

        Raises:
            local.deployment.BuildFailed, local.deployment.DeploymentFailed
        """
        built = template or deployment.build()
        self.deployment = deployment.deploy(self.client, built, self.region, stack_name, parameters)
        for function in self.deployment.functions.values():
            self.functions.register(function)
        # Not earlier: a schedule's target has to be there.
        self.schedules.start()
        return self.deployment

    @property
    def deployed(self) -> Deployment:
        """What `deploy` has deployed."""
        if self.deployment is None:
            raise DeploymentFailed("nothing has been deployed")
        return self.deployment

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """A boto3 client of this AWS; by default the administrator's."""
        chosen = credentials or self.identities.administrator
        return boto3.client(
            service,  # type: ignore[call-overload]  # a name that is not a literal
            region_name=self.region,
            endpoint_url=self.endpoint.url,
            aws_access_key_id=chosen.access_key_id,
            aws_secret_access_key=chosen.secret_access_key,
            aws_session_token=chosen.session_token,
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 2}, read_timeout=300),
        )

    def variables(self) -> dict[str, str]:
        """The environment variables that point the AWS CLI and every SDK here, as the administrator."""
        return {
            **self.identities.administrator.environment(),
            "AWS_ENDPOINT_URL": self.endpoint.url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # For the CLI endpoint of environments; AWS's own endpoint here is plain HTTP.
            "SSL_CERT_FILE": str(self.certificates.bundle),
            "REQUESTS_CA_BUNDLE": str(self.certificates.bundle),
        }

    def _function_environment(self, function: Function) -> dict[str, str]:
        credentials = self.identities.session(function.role_arn, function.name)
        shared = {
            n: v for n, v in self.variables().items() if not n.startswith("AWS_") or "ENDPOINT" in n or "HOST" in n
        }
        return {**shared, **credentials.environment()}

    def _logs_of(self, function: Function) -> FunctionLogs:
        if function.name not in self._function_logs:
            session = self.identities.session(function.role_arn, function.name)
            self._function_logs[function.name] = FunctionLogs(function.log_group, lambda: self.client("logs", session))
        return self._function_logs[function.name]
