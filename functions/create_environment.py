"""CreateEnvironment: the target, like the source except for the input's overrides and what the version demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from migration import errors
from migration.aws import clients
from migration.aws.client_errors import code_of, message_of
from migration.environments import environment, requests
from migration.environments.environment import MIGRATION_TAG
from migration.environments.requests import Files
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt
from migration.model import Migration
from migration.observability import logger, state


@dataclass(frozen=True, kw_only=True)
class Created:
    """`created` is false where an earlier try had created it."""

    environment: str
    created: bool


@state
def handler(*, execution: str, migration: Migration, phase: str, files: dict[str, Any]) -> Created:
    """`files` is what StageSettings has staged. A target that this migration has made is found again."""
    require_locks(migration, execution)
    source, target = migration["source"], migration["target"]
    mwaa = clients.mwaa(target["region"])
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase)
    name = target["environment"]
    if _is_ours(environment.get(mwaa, name), migration["id"]):
        return Created(environment=name, created=False)

    current = environment.get(clients.mwaa(source["region"]), source["environment"])
    if current is None:
        raise errors.SourceNotFound(f"{source['environment']} disappeared after the migration was planned.")
    made = requests.create_request(
        current,
        shape=requests.input_shape(mwaa, "CreateEnvironment"),
        name=name,
        airflow_version=migration["importVersion"],
        overrides=requests.at_creation(migration["overrides"], migration["importVersion"], migration["hops"]),
        files=Files.of(files),
        tags=environment.tags_of(migration),
    )
    store.write(layout.CREATION, {"notes": migration["notes"] + made.notes})
    try:
        mwaa.create_environment(**made.request)
    except ClientError as error:
        if code_of(error) not in ("ValidationException", "AccessDeniedException"):
            raise
        # The answer to a first attempt can get lost: then the name is taken by what it made.
        if _is_ours(environment.get(mwaa, name), migration["id"]):
            return Created(environment=name, created=False)
        raise errors.CreateEnvironmentRefused(
            f"{name}: Amazon MWAA refused CreateEnvironment: "
            f"{requests.without_values(message_of(error), made.options)}. Correct target.overrides or "
            f"target.airflowVersion and start again.{_about_key(made.request)}"
        ) from error
    logger.info("creating", extra={"environment": name, "airflow_version": migration["importVersion"]})
    return Created(environment=name, created=True)


def _about_key(request: dict[str, Any]) -> str:
    if not request.get("KmsKey"):
        return ""
    return f" Add {request['KmsKey']} to the stack's EnvironmentKeyArns: Amazon MWAA uses it on this function's behalf."


def _is_ours(found: dict[str, Any] | None, migration_id: str) -> bool:
    return found is not None and found.get("Tags", {}).get(MIGRATION_TAG) == migration_id
