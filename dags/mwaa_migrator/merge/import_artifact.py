"""Import: check the artifact, restore it into a scratch schema, upgrade that, merge it, drop it.

The target's own tables change in one transaction only, the merge. Killed at any moment, the import leaves them as they
were or complete; the same import run again finishes, or says that it is done.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Sequence

from psycopg2 import sql
from psycopg2.errors import ForeignKeyViolation

from mwaa_migrator.artifact.artifact import Artifact, read_artifact
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactChanged
from mwaa_migrator.mending.rounded_numbers import find_rounded, is_exact
from mwaa_migrator.merge import bulk
from mwaa_migrator.merge.base_keys import create_key_tables, note_key_blocks, noted_key_blocks
from mwaa_migrator.merge.chain import read_chain
from mwaa_migrator.merge.key_blocks import reserve_key_blocks
from mwaa_migrator.merge.merge import Merge
from mwaa_migrator.merge.receipts import create_receipt_tables, find_receipt, write_receipt
from mwaa_migrator.options import default_processes
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.restore_and_upgrade import drop_leftovers, set_aside_orphans, upgraded_artifact
from mwaa_migrator.scratch.scratch_schema import import_lock
from mwaa_migrator.scratch.target_check import check_target
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database
from mwaa_migrator.this_airflow.place import session_name


class ImportOptions(NamedTuple):
    """All but ``processes``, which copy side by side, are values of ``options.py``."""

    on_conflict: str
    pause_state: str
    pickled_xcoms: str
    processes: int


def import_options(values: Mapping[str, Any]) -> ImportOptions:
    """From the values of ``options.IMPORT_OPTIONS``."""
    processes = values["jobs"] or default_processes()
    return ImportOptions(values["onConflict"], values["pauseState"], values["pickledXComs"], processes)


def import_artifact(
    storage: Storage, options: ImportOptions, progress: Progress, run_id: str | None = None
) -> dict[str, Any]:
    """``run_id`` is that of the DAG run whose task this is.

    Returns ``{"already_imported", "artifact_id", "source", "target", "tables", "pause_state", "without_parent",
    "changed_values", "pickled_xcoms", "mended_for_hop", "given_dag_version", "phases"}``.

    Raises what ``errors.py`` lists: a Refused before anything is written, any other MigratorError with the target as it
    was.
    """
    artifact = read_artifact(storage)
    with metadata_database(session_name("import", run_id)) as target, import_lock(target.connection, run_id):
        check_target(target, artifact.manifest["airflow_version"], artifact.manifest["revision"])
        receipt = find_receipt(target.connection, artifact.id)
        chain = read_chain(target, artifact) if receipt is None else ()
        if chain:
            options = _options_of_base(target, chain, options)
        target.connection.rollback()
        if receipt is not None:
            _check_same_artifact(receipt, artifact)
            drop_leftovers(target, progress)
            progress.say(f"{artifact.id} is imported already; nothing was changed")
            return dict(receipt["result"], already_imported=True, phases=progress.phases)
        with upgraded_artifact(
            target, artifact, options.processes, progress, options.pickled_xcoms
        ) as upgraded, progress.phase("merge"):
            try:
                result = _merge(upgraded, options, progress, chain)
            except ForeignKeyViolation:
                without = set_aside_orphans(upgraded, progress)
                if without.without_parent == upgraded.without_parent:
                    raise
                result = _merge(without, options, progress, chain)
    return dict(result, already_imported=False, phases=progress.phases)


def _check_same_artifact(receipt: Dict[str, Any], artifact: Artifact) -> None:
    if receipt["manifest_sha256"] != artifact.manifest["sha256"]:
        message = "Another artifact was imported as {} already. Export under a new id, and import that."
        raise ArtifactChanged(message.format(artifact.id))


def _options_of_base(target: MetadataDatabase, chain: Sequence[str], options: ImportOptions) -> ImportOptions:
    """With what the base's import did to pickled XComs: the same ones must come to the same."""
    receipt = find_receipt(target.connection, chain[0])
    assert receipt is not None
    return options._replace(pickled_xcoms=receipt["result"]["pickled_xcoms"])


def _merge(
    upgraded: UpgradedArtifact, options: ImportOptions, progress: Progress, chain: Sequence[str]
) -> dict[str, Any]:
    """``chain`` are the artifacts that a delta follows; none for any other artifact."""
    connection, artifact, target = upgraded.connection, upgraded.artifact, upgraded.target
    has_sums = "sums" in artifact.manifest
    try:
        blocks = reserve_key_blocks(upgraded, noted_key_blocks(connection, chain[0]) if chain else {})
        in_bulk = [] if chain else _lock_for_bulk(upgraded, progress)
        execute(connection, "set local work_mem to '64MB'")
        create_receipt_tables(connection)
        rounded = _rounded(upgraded)
        for line in rounded:
            progress.say(line)
        if has_sums:
            create_key_tables(connection)
            note_key_blocks(connection, artifact.id, blocks)
        merged = Merge(upgraded, blocks, options.on_conflict, progress, chain).run(options.pause_state, in_bulk)
        result = {
            "artifact_id": artifact.id,
            "source": {
                "airflow_version": artifact.manifest["airflow_version"],
                "revision": artifact.manifest["revision"],
            },
            "target": {
                "airflow_version": target.airflow_version,
                "revision": target.revision,
                "way_in": target.place.way_in,
            },
            "tables": {name: dict(table._asdict()) for name, table in merged.tables.items()},
            "pause_state": merged.pause_state,
            "without_parent": list(upgraded.without_parent),
            "changed_values": [*upgraded.changed_values, *rounded],
            "pickled_xcoms": options.pickled_xcoms,
            "mended_for_hop": None,
            "given_dag_version": merged.given_dag_version,
        }
        if has_sums:
            result.update(follows=chain[0] if chain else None, deleted=merged.deleted)
        write_receipt(connection, artifact, result)
        connection.commit()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    _analyze(upgraded, in_bulk)
    return result


def _rounded(upgraded: UpgradedArtifact) -> list[str]:
    """A line for each column of the source's whose exact numbers the target's has no room for."""
    lines = []
    for table in upgraded.tables.values():
        for column in table.columns:
            of_source = upgraded.scratch_tables[table.name].column(column.name)
            if column.type == "double precision" and is_exact(of_source):
                place = upgraded.scratch.table(table.name)
                lines += [rows.line for rows in find_rounded(upgraded.connection, place, table, column.name)]
    return lines


def _lock_for_bulk(upgraded: UpgradedArtifact, progress: Progress) -> list[str]:
    """Begin the merge's transaction with the locks that merging in bulk needs; returns the tables that will be."""
    in_bulk = bulk.candidates(upgraded)
    upgraded.connection.rollback()
    if in_bulk and not bulk.lock(upgraded):
        progress.say("merge: the target's tables are in use; rows are merged one by one")
        return []
    return in_bulk


def _analyze(upgraded: UpgradedArtifact, names: Sequence[str]) -> None:
    # So many new rows make the planner's statistics worthless, and autovacuum comes a minute later.
    for name in names:
        execute(upgraded.connection, sql.SQL("analyze {}").format(upgraded.target.table(name)))
    upgraded.connection.commit()
