"""What environments need of the local AWS that they are in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws.certificates import Certificates
from local.aws.iam.identity import Identities
from local.installations.postgres import PostgresServer
from local.mwaa.database_proxy import DatabaseProxy


@dataclass(frozen=True)
class Surroundings:
    """
    Attributes:
        folder: where the environments' files go.
        marker: the local AWS's name, by which its processes are found.
        last_write: a bucket's number that changes whenever something in it may have changed.
        client: makes a boto3 client of a service, with the credentials that it is given.
    """

    region: str
    folder: Path
    marker: str
    postgres: PostgresServer
    database_proxy: DatabaseProxy
    certificates: Certificates
    identities: Identities
    endpoint_url: Callable[[], str]
    last_write: Callable[[str], int]
    client: Callable[..., Any]

    def service_client(self, service: str) -> Any:
        """A client with the rights that Amazon MWAA has itself."""
        return self.client(service, self.identities.service)
