"""A local AWS that has Amazon MWAA, and its prices."""

from __future__ import annotations

import secrets

from local.aws.iam.identity import DEFAULT_REGION
from local.aws.local_aws import LocalAws
from local.installations.postgres import PostgresServer
from local.mwaa.cloudformation import EnvironmentResource
from local.mwaa.control_plane import MwaaControlPlane
from local.mwaa.database_proxy import DatabaseProxy, DatabaseProxySettings
from local.mwaa.environment import Environment
from local.mwaa.price_list import PriceList
from local.mwaa.surroundings import Surroundings


class AwsWithMwaa(LocalAws):
    """Its environments share one PostgreSQL server, and one proxy in front of it."""

    def __init__(
        self, name: str | None = None, region: str = DEFAULT_REGION, environments: type[Environment] = Environment
    ) -> None:
        """
        Args:
            environments: what stands behind Amazon MWAA's API: real Airflow, unless a test wants something lighter.
        """
        super().__init__(name, region)
        self._environments = environments
        self.postgres = PostgresServer(self.folder / "postgres")
        self.database_proxy = DatabaseProxy(DatabaseProxySettings.of_environment(secrets.token_hex(16)))

    def _start_services(self) -> None:
        super()._start_services()
        self.postgres.start()
        self.database_proxy.start(self.postgres.port)
        self.mwaa = MwaaControlPlane(
            Surroundings(
                region=self.region,
                folder=self.folder / "environments",
                marker=self.name,
                postgres=self.postgres,
                database_proxy=self.database_proxy,
                certificates=self.certificates,
                identities=self.identities,
                endpoint_url=lambda: self.endpoint.url,
                last_write=self.endpoint.last_write,
                client=self.client,
            ),
            self._environments,
        )
        self.endpoint.add(self.mwaa)
        EnvironmentResource.install(self.mwaa, lambda: self.client("mwaa"))
        self.endpoint.add(PriceList())

    def _stop_services(self) -> None:
        # A schedule must not start anything that asks for an environment from here on.
        self.schedules.stop()
        self.mwaa.stop()
        super()._stop_services()
        self.database_proxy.stop()
        self.postgres.stop()
