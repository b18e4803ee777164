"""An Amazon MWAA environment, as GetEnvironment shows it, and the tags by which a migration knows its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def unread_fields(mwaa: MWAAClient, name: str) -> list[str]:
    """The fields of GetEnvironment's answer that this SDK drops without a word, because its model is older."""
    bodies: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    event = "before-parse.mwaa.GetEnvironment"
    mwaa.meta.events.register(event, keep)
    try:
        found = get(mwaa, name)
    finally:
        mwaa.meta.events.unregister(event, keep)
    if found is None or not bodies:
        return []
    shape: Any = mwaa.meta.service_model.operation_model("GetEnvironment").output_shape
    return sorted(_unknown(json.loads(bodies[-1])["Environment"], shape.members["Environment"], ""))


def _unknown(value: Any, shape: Any, path: str) -> Iterator[str]:
    """The members of a structure, and of those in it, that its shape does not have: `LoggingConfiguration.NewLogs`."""
    if shape.type_name != "structure" or not isinstance(value, dict):
        return
    for key, item in value.items():
        if item is not None and key in shape.members:
            yield from _unknown(item, shape.members[key], f"{path}{key}.")
        elif item is not None:
            yield f"{path}{key}"


def tags_of(migration: Migration) -> dict[str, str]:
    """The tags by which a migration knows the target that it has made."""
    tags = {MIGRATION_TAG: migration["id"]}
    return tags | {THROW_AWAY_TAG: "true"} if migration["mode"] == "rehearse" else tags


def bucket_name(bucket_arn: str) -> str:
    return bucket_arn.rsplit(":", 1)[-1]
