"""Makes the scratch schema for as long as it is needed: restored, upgraded, and without rows that cannot be merged."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import Iterator, Sequence

from psycopg2 import Error as DatabaseError

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.postgres.session import keep_alive
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch import scratch_schema
from mwaa_migrator.scratch.names_after_upgrade import names_after_upgrade, table_oids
from mwaa_migrator.scratch.orphans import clear_references, set_orphans_aside
from mwaa_migrator.scratch.restore import check_artifact, restore
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.scratch.upgrade import Upgraded, upgrade
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact, read_upgraded
from mwaa_migrator.this_airflow.database import MetadataDatabase


@contextmanager
def upgraded_artifact(
    target: MetadataDatabase,
    artifact: Artifact,
    processes: int,
    progress: Progress,
    pickled_xcoms: str,
    has_orphans: bool = False,
) -> Iterator[UpgradedArtifact]:
    """Check, restore and upgrade the artifact; its scratch schema is dropped at the end of the block.

    ``pickled_xcoms`` is a value of ``options.py``. ``has_orphans`` says that rows without a parent are known to be in
    it, and have to be set aside.
    Raises a Refused before anything is written, or else RestoreFailed, UpgradeFailed or RowsUnaccounted.
    """
    with progress.phase("check"):
        check_artifact(artifact, processes, partial(keep_alive, target.connection))
    drop_leftovers(target, progress)
    scratch = ScratchSchema(target, artifact)
    scratch_schema.create(target.connection, scratch.name)
    try:
        upgrade_follows = artifact.manifest["revision"] != target.revision
        with progress.phase("restore"):
            restore(scratch, upgrade_follows, processes, progress)
        with progress.phase("upgrade"):
            oids = table_oids(scratch)
            done = upgrade(scratch, pickled_xcoms, progress) if upgrade_follows else Upgraded([], [])
            upgraded = read_upgraded(scratch, names_after_upgrade(scratch, oids), done)
            if artifact.left_out:
                upgraded = _clear_references_to_left_out(upgraded, progress)
            if has_orphans:
                upgraded = set_aside_orphans(upgraded, progress)
        yield upgraded
        with progress.phase("drop"):
            scratch_schema.drop(target.connection, scratch.name)
    except BaseException:
        # Without a connection the next import drops it; and the user must read what failed first.
        with suppress(DatabaseError):
            scratch_schema.drop(target.connection, scratch.name)
        raise


def drop_leftovers(target: MetadataDatabase, progress: Progress) -> None:
    for name in scratch_schema.drop_leftovers(target.connection):
        progress.say(f"dropped {name}, which an import left behind")


def set_aside_orphans(upgraded: UpgradedArtifact, progress: Progress) -> UpgradedArtifact:
    """Set aside the rows that have no parent in it, or clear their reference. Returns what is left."""
    scratch = upgraded.scratch
    tables = {name: upgraded.target_tables[name] for name in upgraded.tables}
    return _read_again(
        upgraded, set_orphans_aside(scratch.connection, scratch.name, tables, upgraded.exported), progress
    )


def _clear_references_to_left_out(upgraded: UpgradedArtifact, progress: Progress) -> UpgradedArtifact:
    """Clear references to tables that an option left out of the artifact, where they may be NULL."""
    scratch = upgraded.scratch
    parents = {upgraded.names.get(name, name) for name in scratch.artifact.left_out}
    tables = {
        name: table for name, table in upgraded.target_tables.items() if name in upgraded.tables or name in parents
    }
    tables = {name: table for name, table in tables.items() if name in upgraded.scratch_tables}
    return _read_again(upgraded, clear_references(scratch.connection, scratch.name, tables, parents), progress)


def _read_again(upgraded: UpgradedArtifact, lines: Sequence[str], progress: Progress) -> UpgradedArtifact:
    """What is left of it after rows were set aside or their references cleared, of which ``lines`` say what it was."""
    if not lines:
        return upgraded
    for line in lines:
        progress.say(line)
    done = Upgraded([*upgraded.without_parent, *lines], list(upgraded.changed_values))
    return read_upgraded(upgraded.scratch, upgraded.names, done)
