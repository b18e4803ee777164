"""A local AWS that has Amazon MWAA, and its prices."""

from __future__ import annotations

from local.aws.iam.identity import DEFAULT_REGION
from local.aws.local_aws import LocalAws
from local.installations.postgres import PostgresServer
from local.mwaa.control_plane import MwaaControlPlane
from local.mwaa.environment import Environment
from local.mwaa.price_list import PriceList
from local.mwaa.surroundings import Surroundings


class AwsWithMwaa(LocalAws):
    """Its environments share one PostgreSQL server."""

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

    def _start_services(self) -> None:
        super()._start_services()
        self.postgres.start()
        self.mwaa = MwaaControlPlane(
            Surroundings(
                region=self.region,
                folder=self.folder / "environments",
                marker=self.name,
                postgres=self.postgres,
                certificates=self.certificates,
                identities=self.identities,
                endpoint_url=lambda: self.endpoint.url,
                last_write=self.endpoint.last_write,
                client=self.client,
            ),
            self._environments,
        )
        self.endpoint.add(self.mwaa)
        self.endpoint.add(PriceList())

    def _stop_services(self) -> None:
        # A schedule must not start anything that asks for an environment from here on.
        self.schedules.stop()
        self.mwaa.stop()
        super()._stop_services()
        self.postgres.stop()
