"""Takes back what a migration put into the environments and the exchange bucket, a step at each call.

In this order: our DAG files and the access to the artifact go, then our DAGs' rows in both metadata databases and a
throw-away target. Only environments that the caller holds are touched; it releases them when nothing is left.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from botocore.exceptions import ClientError

from migration.aws import clients
from migration.aws.client_errors import code_of
from migration.cleanup import dag_rows
from migration.environments import dag_folder, s3_objects
from migration.environments.environment import get, tags_of
from migration.exchange import grants, layout
from migration.exchange.locks import Place, places_of
from migration.logs import target_lock
from migration.model import Migration, Side
from migration.observability import logger

# The states in which Amazon MWAA deletes an environment; in any other it is asked again later.
_DELETABLE = frozenset({"AVAILABLE", "CREATE_FAILED", "UPDATE_FAILED", "UNAVAILABLE"})


class Call(NamedTuple):
    """`key_arn` is that of the exchange bucket, `waited` the seconds since the first call."""

    key_arn: str
    failed: bool
    waited: int


def clean(migration: Migration, held: Collection[Place], call: Call) -> bool:
    """Takes back what it can in the environments that are `held`. True: nothing is left; call until then."""
    places = zip((migration["source"], migration["target"]), places_of(migration), strict=True)
    sides = [side for side, place in places if place in held]
    for side in sides:
        dag_folder.remove_our_dags(clients.s3(side["region"]), side["bucket"], side["dagsPath"])
    grants.revoke(clients.s3(), clients.kms(), migration["bucket"], call.key_arn, migration["artifactId"])
    if migration["options"]["artifact"] == "delete":
        _delete_tables(migration)
    if migration["target"] in sides:
        target_lock.forget(clients.s3(), migration)
    throw_away = migration["target"] in sides and deletes_target(migration, call.failed)
    kept = [side for side in sides if side != migration["target"] or not throw_away]
    deleted = not throw_away or delete_target(migration)
    return _delete_rows(migration, kept, call.waited) and deleted


def _delete_tables(migration: Migration) -> None:
    """Deletes the rows of the attempt's artifacts. What each is about stays, and the sums that a delta needs."""
    bucket, folder = migration["bucket"], s3_objects.folder(layout.artifact(migration["artifactId"]))
    for page in clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder):
        keys = [item["Key"] for item in page.get("Contents", [])]
        s3_objects.delete(clients.s3(), bucket, [key for key in keys if layout.is_of_tables(key)])


def deletes_target(migration: Migration, failed: bool) -> bool:
    """Whether the target is deleted: a rehearsal's always, a migration's after a failure or rollback if asked.

    An adopted target never is.
    """
    if migration["adopted"]:
        return False
    taken_back = failed or migration["rollBack"]
    return migration["mode"] == "rehearse" or (taken_back and migration["options"]["targetOnFailure"] == "delete")


def _delete_rows(migration: Migration, sides: list[Side], waited: int) -> bool:
    """Deletes our DAGs' rows. Returns True once none are left, or when it has been tried for long enough.

    A scheduler that has not noticed yet that a file is gone writes the rows again, so one more call looks for them.
    """
    if waited == 0:
        # The files were taken away just now, and an environment needs a while to notice.
        return not sides
    if waited > migration["options"]["parseTimeoutSeconds"] + dag_rows.seconds_of_jobs({}):
        logger.warning("rows of our DAGs may be left", extra={"dags": dag_rows.DAGS})
        return True
    return [side for side in sides if not dag_rows.delete(migration, side, waited)] == []


def delete_target(migration: Migration) -> bool:
    """Asks Amazon MWAA to delete the target as soon as it can be deleted. Returns whether it is gone."""
    target = migration["target"]
    mwaa = clients.mwaa(target["region"])
    found = get(mwaa, target["environment"])
    if found is None or found["Status"] == "DELETED":
        # A folder that the input named may be somebody's; the one that was made for the target is ours.
        if "DagS3Path" not in migration["overrides"] and "SourceBucketArn" not in migration["overrides"]:
            s3_objects.remove_folder(clients.s3(target["region"]), target["bucket"], target["environment"])
        return True
    if not tags_of(migration).items() <= found.get("Tags", {}).items():
        logger.warning("not ours, so not deleted", extra={"environment": target["environment"]})
        return True
    if found["Status"] in _DELETABLE:
        try:
            mwaa.delete_environment(Name=target["environment"])
        except ClientError as error:
            if code_of(error) not in ("ResourceNotFoundException", "ValidationException"):
                raise
    return False
