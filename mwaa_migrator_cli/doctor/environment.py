"""Checks of what GetEnvironment says, because CreateEnvironment is given the same for the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of
from migration.environments import environment as environments

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_mwaa import MWAAClient

KEY = Check(
    "kms-key",
    "Which key does GetEnvironment name?",
    "none where AWS owns the key; else a key of yours that is enabled",
    "CreateEnvironment refuses that key for the target, before anything is paused. Name one of yours in "
    "target.overrides.KmsKey. A key of yours must also be among the stack's EnvironmentKeyArns.",
    stops=True,
)
FIELDS = Check(
    "get-environment",
    "Does this command's SDK know every field of GetEnvironment?",
    "every field",
    "The target gets none of these fields. A migration names them in its plan; set them after the cut-over.",
    stops=False,
)
CHECKS = (KEY, FIELDS)


def findings(mwaa: MWAAClient, kms: KMSClient, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Asks about one environment, given as GetEnvironment has it."""
    name = settings["Name"]
    yield from asking(KEY, name, lambda: _key(kms, name, settings.get("KmsKey")))
    yield from asking(FIELDS, name, lambda: _fields(mwaa, name))


def _key(kms: KMSClient, name: str, key: str | None) -> Finding:
    if not key:
        return as_expected(KEY, name, True, "none, so AWS owns it")
    try:
        found = kms.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        return as_expected(KEY, name, False, f"{key}, which is not a key of this account and region")
    manager, state = found.get("KeyManager", "CUSTOMER"), found.get("KeyState", "Enabled")
    is_usable = manager == "CUSTOMER" and state == "Enabled"
    return as_expected(KEY, name, is_usable, f"{key}: {state}, managed by {'you' if manager == 'CUSTOMER' else 'AWS'}")


def _fields(mwaa: MWAAClient, name: str) -> Finding:
    unread = environments.unread_fields(mwaa, name)
    return as_expected(FIELDS, name, not unread, f"does not know {', '.join(unread)}" if unread else "every field")
