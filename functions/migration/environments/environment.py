"""An Amazon MWAA environment, as GetEnvironment shows it, and the tags by which a migration knows its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

    from migration.model import Migration

MIGRATION_TAG = "mwaa-migrator:migration"
THROW_AWAY_TAG = "mwaa-migrator:throw-away"

# Amazon MWAA works on it for a reason of its own, and will finish.
BUSY = frozenset({"MAINTENANCE", "PENDING"})


def get(mwaa: MWAAClient, name: str) -> dict[str, Any] | None:
    """The environment, or None where there is none."""
    try:
        return dict(mwaa.get_environment(Name=name)["Environment"])
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise


def tags_of(migration: Migration) -> dict[str, str]:
    """The tags by which a migration knows the target that it has made."""
    tags = {MIGRATION_TAG: migration["id"]}
    return tags | {THROW_AWAY_TAG: "true"} if migration["mode"] == "rehearse" else tags


def bucket_name(bucket_arn: str) -> str:
    """The name in a bucket's ARN."""
    return bucket_arn.rsplit(":", 1)[-1]
