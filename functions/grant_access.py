"""GrantAccess: lets the environments' execution roles use the migration's artifacts, until CleanUp takes that back.

Those of earlier attempts, too: a delta follows what the target already holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from migration import settings
from migration.aws import clients
from migration.exchange import grants, layout
from migration.model import Migration
from migration.plan.migration_plan import artifact_id_of
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The ARNs that have access."""

    roles: list[str]


@state
def handler(*, migration: Migration) -> Granted:
    roles = sorted({side["executionRoleArn"] for side in (migration["source"], migration["target"])})
    attempts = range(1, migration["attempt"] + 1)
    grants.grant(
        clients.s3(),
        clients.kms(),
        migration["bucket"],
        settings.key_arn(),
        [layout.artifact(artifact_id_of(migration["id"], number)) for number in attempts],
        migration["artifactId"],
        roles,
    )
    return Granted(roles=roles)
