"""UpdateEnvironment, and what it says where Amazon MWAA refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of, message_of
from migration.environments import requests
from migration.errors import UpdateEnvironmentRefused

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient


def update(mwaa: MWAAClient, request: dict[str, Any], options: dict[str, str], *, change: str, remedy: str) -> None:
    """Asks Amazon MWAA to update an environment. Raises UpdateEnvironmentRefused, which names `change` and `remedy`.

    `options`: Airflow options whose values the message must not have.
    """
    try:
        mwaa.update_environment(**request)
    except ClientError as error:
        if code_of(error) not in ("ValidationException", "AccessDeniedException"):
            raise
        reason = requests.without_values(message_of(error), options)
        raise UpdateEnvironmentRefused(
            f"{request['Name']}: Amazon MWAA refused {change}: {reason}. {remedy}"
        ) from error
