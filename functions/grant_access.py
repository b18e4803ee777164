"""GrantAccess: lets the environments' execution roles use the migration's artifact, until CleanUp takes that back."""

from __future__ import annotations

from dataclasses import dataclass

from migration import settings
from migration.aws import clients
from migration.exchange import grants, layout
from migration.model import Migration
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The ARNs that have access."""

    roles: list[str]


@state
def handler(*, migration: Migration) -> Granted:
    roles = sorted({side["executionRoleArn"] for side in (migration["source"], migration["target"])})
    artifact_id = migration["artifactId"]
    grants.grant(
        clients.s3(),
        clients.kms(),
        migration["bucket"],
        settings.key_arn(),
        layout.artifact(artifact_id),
        artifact_id,
        roles,
    )
    return Granted(roles=roles)
