"""Import: check the artifact, restore it into a scratch schema, upgrade that, merge it, drop it.

The target's own tables change in one transaction only, the merge. Killed at any moment, the import leaves them as they
were or complete, and the same import run again finishes or says that it is done.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import Any, Iterator, NamedTuple

from psycopg2 import Error as DatabaseError

from mwaa_migrator.airflow_schema.identity import mergeable_tables
from mwaa_migrator.airflow_schema.tables import PAUSE_STATE_TABLE
from mwaa_migrator.artifact.manifest import read_manifest, read_schema
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import (
    ArtifactChanged,
    TargetNotAtHead,
    TargetOlderThanSource,
    UpgradeFailed,
)
from mwaa_migrator.merge import bulk
from mwaa_migrator.merge.key_blocks import reserve_blocks
from mwaa_migrator.merge.merge import Merge
from mwaa_migrator.merge.pause_states import apply_pause_states, carry_schedules
from mwaa_migrator.merge.receipts import find_receipt, prepare, write_receipt
from mwaa_migrator.postgres.session import execute, named_errors, use_schema
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch import scratch_schema
from mwaa_migrator.scratch.restore import check_artifact, restore
from mwaa_migrator.scratch.upgrade import Upgraded, account, schema_differences, upgrade
from mwaa_migrator.this_airflow import database as airflow_database


class ImportOptions(NamedTuple):
    """``on_conflict``: keep, overwrite or fail. ``pause_state``: keep, source or all-paused."""

    on_conflict: str = "keep"
    pause_state: str = "keep"
    jobs: int = 2


class Target(NamedTuple):
    """Where we import: Airflow's version, the schema of its tables, and their revision, which is at its head."""

    version: str
    schema: str
    revision: str


def import_artifact(storage: Storage, options: ImportOptions, progress: Progress) -> dict[str, Any]:
    """Returns ``{"already_imported", "migration_id", "target", "tables", "pause_state", "phases"}``.

    Raises what ``errors.py`` lists: a Refused before anything is written, another MigratorError with the target as it
    was.
    """
    manifest = read_manifest(storage)
    migration_id = manifest["migration_id"]
    connection = airflow_database.connect("mwaa_migrator import")
    try:
        with named_errors(), scratch_schema.only_one(connection):
            target = find_target(connection, manifest)
            receipt = find_receipt(connection, migration_id)
            connection.rollback()
            if receipt is not None:
                _check_same_artifact(receipt, manifest)
                for name in scratch_schema.drop_leftovers(connection):
                    progress.say(f"dropped {name}, which an import left behind")
                progress.say(f"{migration_id} is imported already; nothing was changed")
                return dict(receipt["result"], already_imported=True, phases=progress.phases)
            restored = upgraded_scratch(connection, storage, manifest, target, options.jobs, progress)
            with restored as (name, upgraded), progress.phase("merge"):
                result = _merge(connection, name, target, manifest, upgraded, options, progress)
        return dict(result, already_imported=False, phases=progress.phases)
    finally:
        connection.close()


def find_target(connection: Any, manifest: dict[str, Any]) -> Target:
    """Raises TargetOlderThanSource, TargetNotAtHead or AirflowNotSupported."""
    version = airflow_database.airflow_version()
    if airflow_database.version_tuple(version) < airflow_database.version_tuple(manifest["airflow_version"]):
        message = "The artifact comes from Airflow {} and the target is {}: rows cannot be taken to an older version."
        raise TargetOlderThanSource(message.format(manifest["airflow_version"], version))
    schema = airflow_database.airflow_schema(connection)
    revision = airflow_database.schema_revision(connection)
    connection.rollback()
    head = airflow_database.head_revision()
    if revision != head:
        message = (
            "The target's metadata database is at revision {} and Airflow {} is at {}: run airflow db migrate first."
        )
        raise TargetNotAtHead(message.format(revision, version, head))
    return Target(version, schema, head)


def _check_same_artifact(receipt: dict[str, Any], manifest: dict[str, Any]) -> None:
    if receipt["manifest_sha256"] != manifest["sha256"]:
        message = "Another artifact was imported as {}. Export under an id of its own."
        raise ArtifactChanged(message.format(manifest["migration_id"]))


@contextmanager
def upgraded_scratch(
    connection: Any, storage: Storage, manifest: dict[str, Any], target: Target, jobs: int, progress: Progress
) -> Iterator[tuple[str, Upgraded]]:
    """The artifact's rows at the target's revision, in a scratch schema that is dropped at the end."""
    with progress.phase("check"):
        check_artifact(storage, manifest, jobs)
        description = read_schema(storage, manifest)
    for name in scratch_schema.drop_leftovers(connection):
        progress.say(f"dropped {name}, which an import left behind")
    name = scratch_schema.scratch_name(manifest["migration_id"])
    scratch_schema.create(connection, name)
    try:
        upgrade_follows = manifest["revision"] != target.revision
        with progress.phase("restore"):
            restore(connection, storage, manifest, description, name, upgrade_follows, jobs, progress)
        with progress.phase("upgrade"):
            if upgrade_follows:
                upgraded = upgrade(connection, name, manifest, progress)
            else:
                upgraded = account(connection, name, manifest)
            _check_columns(connection, name, target, manifest)
        yield name, upgraded
        with progress.phase("drop"):
            scratch_schema.drop(connection, name)
    except BaseException:
        # Without a connection the next import drops it; and what failed first is what the user must read.
        with suppress(DatabaseError):
            scratch_schema.drop(connection, name)
        raise


def _check_columns(connection: Any, scratch: str, target: Target, manifest: dict[str, Any]) -> None:
    differences = schema_differences(connection, scratch, target.schema, list(manifest["tables"]))
    connection.rollback()
    if differences:
        message = (
            "These columns are in only one of the source, at the target's revision, and the target: {}. If they were "
            "added by hand, take them away or add them to the other one; if not, report this as a defect."
        )
        raise UpgradeFailed(message.format(", ".join(differences)))


def _merge(
    connection: Any,
    scratch: str,
    target: Target,
    manifest: dict[str, Any],
    upgraded: Upgraded,
    options: ImportOptions,
    progress: Progress,
) -> dict[str, Any]:
    tables = mergeable_tables(connection, scratch, target.schema, manifest)
    connection.rollback()
    try:
        blocks = reserve_blocks(connection, scratch, target.schema, tables)
        in_bulk = bulk.candidates(connection, target.schema, tables, upgraded.rows)
        connection.rollback()
        if in_bulk and not bulk.lock(connection, target.schema, list(tables)):
            progress.say("merge: the target's tables are in use; rows are merged one by one")
            in_bulk = []
        use_schema(connection, target.schema)
        execute(connection, "set local work_mem to '64MB'")
        prepare(connection)
        merge = Merge(connection, scratch, target.schema, manifest, upgraded, blocks, options.on_conflict, progress)
        pause_state: dict[str, Any] = {"choice": options.pause_state}

        def make_dags() -> None:
            if PAUSE_STATE_TABLE in manifest["tables"]:
                pause_state.update(apply_pause_states(connection, scratch, target.schema, options.pause_state))
                carry_schedules(connection, scratch, target.schema)
                use_schema(connection, target.schema)

        results = merge.run(in_bulk, make_dags)
        result = {
            "migration_id": manifest["migration_id"],
            "source": {"airflow_version": manifest["airflow_version"], "revision": manifest["revision"]},
            "target": {"airflow_version": target.version, "revision": target.revision},
            "tables": {name: dict(table._asdict()) for name, table in results.items()},
            "pause_state": pause_state,
        }
        write_receipt(connection, manifest["migration_id"], manifest["sha256"], result)
        connection.commit()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    for name in in_bulk:
        # So many new rows make the planner's statistics worthless, and autovacuum comes a minute later.
        execute(connection, f'analyze "{name}"')
    connection.commit()
    return result
