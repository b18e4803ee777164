"""GrantAccess: lets the environments' execution roles use the migration's artifact, until CleanUp takes that back."""

from __future__ import annotations

from typing import Any

from migration import settings
from migration.aws import clients
from migration.exchange import grants, layout
from migration.observability import state


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration"}` -> `{"roles"}`: the ARNs that were granted access."""
    migration = event["migration"]
    roles = sorted({migration[side]["executionRoleArn"] for side in ("source", "target")})
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
    return {"roles": roles}
