"""CleanUp: our DAG files and the access to the exchange bucket are taken back, a throw-away target is deleted."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from migration import clients, errors, grants, settings, staging, waiting
from migration.environment import MIGRATION_TAG, get
from migration.faults import code_of
from migration.observability import logger, state
from migration.planning import Migration

# Amazon MWAA deletes an environment in these; in all others it is asked again later.
_DELETABLE = frozenset({"AVAILABLE", "CREATE_FAILED", "UPDATE_FAILED", "UNAVAILABLE"})


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "failed", "waitedSeconds"}` -> `{"ready", "waitSeconds", "waitedSeconds"}`; called until ready."""
    migration = event["migration"]
    for side in (migration["source"], migration["target"]):
        staging.remove_our_dags(clients.s3(side["region"]), side["bucket"], side["dagsPath"])
    grants.revoke(clients.s3(), clients.kms(), migration["bucket"], settings.key_arn(), migration["artifactId"])
    if deletes_target(migration, event["failed"]) and not _deleted(migration):
        limit = migration["options"]["environmentTimeoutSeconds"]
        name = migration["target"]["environment"]
        return waiting.not_ready(
            event,
            seconds=2 * migration["options"]["pollSeconds"],
            limit=limit,
            timed_out=lambda: errors.CleanUpTimedOut(f"{name} is not gone after {limit} s. Delete it by hand."),
        )
    return waiting.ready(event)


def deletes_target(migration: Migration, failed: bool) -> bool:
    """A rehearsal's target goes always, a migration's after a failure if asked."""
    return migration["mode"] == "rehearse" or (failed and migration["options"]["targetOnFailure"] == "delete")


def _deleted(migration: Migration) -> bool:
    """Whether the target is gone; asks Amazon MWAA to delete it as soon as it can be."""
    target = migration["target"]
    mwaa = clients.mwaa(target["region"])
    found = get(mwaa, target["environment"])
    if found is None or found["Status"] == "DELETED":
        # A folder that the input named may be somebody's; the one that was made for the target is ours.
        if "DagS3Path" not in migration["overrides"] and "SourceBucketArn" not in migration["overrides"]:
            staging.remove_folder(clients.s3(target["region"]), target["bucket"], target["environment"])
        return True
    if found.get("Tags", {}).get(MIGRATION_TAG) != migration["id"]:
        logger.warning("not ours, so not deleted", extra={"environment": target["environment"]})
        return True
    if found["Status"] in _DELETABLE:
        try:
            mwaa.delete_environment(Name=target["environment"])
        except ClientError as error:
            if code_of(error) not in ("ResourceNotFoundException", "ValidationException"):
                raise
    return False
