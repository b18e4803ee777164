"""Which AWS is talked to: an account with its credentials, or a local one; and the application's stack in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of


class NotFound(Exception):
    """Something that the command names is not there. The message says what to do."""


@dataclass(frozen=True)
class Stack:
    """The application as it is deployed. `import_version` is its parameter."""

    state_machine: str
    rehearse_machine: str
    bucket: str
    import_version: str


def choose(*, region: str | None, profile: str | None, local: str | None) -> None:
    """Makes the SDK use an account, for the rest of the process: the functions' code makes its clients by itself.

    Raises:
        NotFound: no local AWS of the name `local` runs.
    """
    if local is not None:
        os.environ.pop("AWS_PROFILE", None)
        os.environ.update(_variables_of(local))
    if profile is not None:
        os.environ["AWS_PROFILE"] = profile
    if region is not None:
        os.environ.update(AWS_REGION=region, AWS_DEFAULT_REGION=region)
    # Clients that the functions' code makes follow it too.
    boto3.setup_default_session()


def region() -> str:
    """The region that was chosen, or the SDK's.

    Raises:
        NotFound: there is none.
    """
    found = boto3.session.Session().region_name
    if found is None:
        raise NotFound("No region is chosen. Give --region, or set AWS_DEFAULT_REGION or the profile's region.")
    return str(found)


def client(service: str) -> Any:
    """A client of the account that was chosen."""
    return boto3.client(service)  # type: ignore[call-overload]  # a name that is not a literal


def stack(name: str) -> Stack:
    """The stack of that name.

    Raises:
        NotFound: there is none in this region, or it is another application's.
    """
    where = region()
    try:
        (found,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        raise NotFound(
            f"There is no stack {name} in {where}. Give --stack and --region as it was deployed, or deploy it."
        ) from error
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])}
    try:
        return Stack(
            outputs["StateMachineArn"],
            outputs["RehearseStateMachineArn"],
            outputs["ExchangeBucket"],
            parameters["ImportVersion"],
        )
    except KeyError as missing:
        raise NotFound(f"The stack {name} in {where} is not mwaa-migrator's: it has no {missing}.") from missing


def _variables_of(local: str) -> Mapping[str, str]:
    """The variables that point the SDK at a local AWS, which leaves them in the checkout that it was started from."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[1]):
        state = folder / "build" / "local" / local / "state.json"
        if state.is_file():
            written = json.loads(state.read_text(encoding="utf-8"))
            # Until it has started there is only the number of its process.
            found = {key: value for key, value in written.items() if isinstance(value, str)}
            if "AWS_ENDPOINT_URL" in found:
                return found
    raise NotFound(
        f"No local AWS called {local} runs. Start one in a checkout of mwaa-migrator: python -m local up --name {local}"
    )
