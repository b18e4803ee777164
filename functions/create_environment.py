"""CreateEnvironment: the target, like the source except for the input's overrides and what the version demands.

An earlier attempt's target is used again. What the user has mended in the source since, is mended there too: its
requirements, plugins, start-up script and Airflow options.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration import errors
from migration.aws import clients
from migration.aws.client_errors import code_of, message_of
from migration.environments import adoption, environment, overriding, requests, updating
from migration.environments.environment import MIGRATION_TAG
from migration.environments.requests import Files, Settings
from migration.exchange import chain, layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.times import now

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient


@dataclass(frozen=True, kw_only=True)
class Created:
    """`created` is false where an earlier try had created it."""

    environment: str
    created: bool


@state
def handler(*, execution: str, migration: Migration, phase: str, files: dict[str, Any]) -> Created:
    """`files` is what StageSettings has staged. A target that this migration has made is found again.

    A target that is adopted is only compared with the plan. Raises TargetChanged.
    """
    require_locks(migration, execution)
    source, target = migration["source"], migration["target"]
    mwaa = clients.mwaa(target["region"])
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase)
    name = target["environment"]
    if migration["adopted"]:
        adoption.require_unchanged(migration)
        store.write(layout.CREATION, {"notes": _notes_of_adopted(migration)})
        return Created(environment=name, created=False)
    found = environment.get(mwaa, name)
    is_there = _is_ours(found, migration["id"])
    if is_there and found is not None and "export" not in migration["finished"]:
        _require_version(found, migration["importVersion"])
    if is_there and (found is None or not _may_be_updated(found, migration)):
        return Created(environment=name, created=False)

    current = environment.get(clients.mwaa(source["region"]), source["environment"])
    if current is None:
        raise errors.SourceNotFound(f"{source['environment']} disappeared after the migration was planned.")
    made = requests.create_request(
        current,
        shape=requests.input_shape(mwaa, "CreateEnvironment"),
        name=name,
        airflow_version=migration["importVersion"],
        overrides=overriding.at_creation(migration["overrides"], migration["importVersion"], migration["hops"]),
        files=Files.of(files),
        tags=environment.tags_of(migration),
    )
    store.write(layout.CREATION, {"notes": migration["notes"] + made.notes})
    if is_there and found is not None:
        _update(mwaa, found, made, migration)
        return Created(environment=name, created=False)
    _note_change(migration)
    chain.forget(of_migration(clients.s3(), migration))
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


def _notes_of_adopted(migration: Migration) -> list[str]:
    """The plan's notes, and what the adopted target has otherwise than expected."""
    source, target = (
        environment.get(clients.mwaa(side["region"]), side["environment"]) or {}
        for side in (migration["source"], migration["target"])
    )
    found = adoption.differences(migration, source, target)
    name = migration["target"]["environment"]
    return [*migration["notes"], *(difference.told(name) for difference in found)]


def _require_version(found: dict[str, Any], import_version: str) -> None:
    """Raises TargetUnfit for an earlier attempt's target that cannot take the import, as one that has had its hop."""
    if found["AirflowVersion"] != import_version:
        raise errors.TargetUnfit(
            f"{found['Name']} is left from this migration and runs Airflow {found['AirflowVersion']}; the import is "
            f"for {import_version}. Delete it and start again."
        )


def _may_be_updated(found: dict[str, Any], migration: Migration) -> bool:
    """Whether the target can take what is new: not once there is an export of this attempt."""
    return found["Status"] in ("AVAILABLE", "UPDATE_FAILED") and "export" not in migration["finished"]


def _update(mwaa: MWAAClient, found: dict[str, Any], made: Settings, migration: Migration) -> None:
    """Updates an earlier attempt's target where its settings are not those that it would be created with."""
    changes = requests.changed_settings(found, made.request)
    if not changes:
        return
    _note_change(migration)
    updating.update(
        mwaa,
        {"Name": found["Name"], **changes},
        made.options,
        change=f"what is new in the source ({', '.join(sorted(changes))})",
        remedy="Delete the environment and start again.",
    )
    logger.info("updating", extra={"environment": found["Name"], "fields": sorted(changes)})


def _note_change(migration: Migration) -> None:
    """Notes from when on the target's logs tell about it as it is now."""
    of_migration(clients.s3(), migration).write(layout.TARGET, {"since": now()})


def _about_key(request: dict[str, Any]) -> str:
    if not request.get("KmsKey"):
        return ""
    return f" Add {request['KmsKey']} to the stack's EnvironmentKeyArns: Amazon MWAA uses it on this function's behalf."


def _is_ours(found: dict[str, Any] | None, migration_id: str) -> bool:
    return found is not None and found.get("Tags", {}).get(MIGRATION_TAG) == migration_id
