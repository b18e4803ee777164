"""Verify: compare the target's rows with the artifact, from the artifact anew.

It does not trust the import's own account: the artifact is restored and upgraded once more in a scratch schema, and
every row is looked for in the target by its identity. Surrogate keys differ between environments, so a reference is
compared as what it refers to. Secrets are compared decrypted, because two encryptions of one value differ.

It takes one thing from the import: which rows were not written, row by row. In the place of a row that the target had
with other content there must be some row; a row that was set aside may be missing; no other may. Changes that the
target's Airflow has made by itself since the import are known too (``changes_by_airflow.py``).

Of a delta it compares what that has replaced, and there the target must have no other rows (``replaced_rows.py``). All
other runs must be as they were when they were verified (``target_sums.py``).
"""

from __future__ import annotations

import time
from typing import Any, Dict

from mwaa_migrator.artifact.artifact import Artifact, read_artifact
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.comparison.comparable_rows import ComparableRows
from mwaa_migrator.comparison.differing_secrets import differing_secrets
from mwaa_migrator.errors import FollowedByDelta, NotImported
from mwaa_migrator.mending.mend_rows import mend_rows
from mwaa_migrator.merge.chain import follower
from mwaa_migrator.merge.log_templates import default_log_filename
from mwaa_migrator.merge.receipts import find_receipt, rows_not_written
from mwaa_migrator.postgres.row_names import EXAMPLES
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.restore_and_upgrade import upgraded_artifact
from mwaa_migrator.scratch.scratch_schema import import_lock
from mwaa_migrator.scratch.target_check import check_target
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database
from mwaa_migrator.this_airflow.place import session_name
from mwaa_migrator.verify.changes_by_airflow import accept_changes_by_airflow
from mwaa_migrator.verify.replaced_rows import ReplacedRows, Surplus, replaced_rows
from mwaa_migrator.verify.table_comparison import compare, hash_rows, without_kept
from mwaa_migrator.verify.target_sums import compare_and_record


def verify_import(storage: Storage, processes: int, progress: Progress, run_id: str | None = None) -> dict[str, Any]:
    """``run_id`` is that of the DAG run whose task this is.

    Returns ``{"verified", "artifact_id", "tables", "phases"}``, with tables in the shape of the import's result.

    ``match`` is true for a table if each of its rows is in the target with the same content, except for the rows that
    the import kept as the target had them, or set aside. Of a delta a table can have ``changed``, too: in how many runs
    outside of it rows have changed in the target. Raises NotImported if no import was committed, and what
    restoring and upgrading raise.
    """
    artifact = read_artifact(storage)
    with metadata_database(session_name("verify", run_id)) as target, import_lock(target.connection, run_id):
        check_target(target, artifact.manifest["airflow_version"], artifact.manifest["revision"])
        receipt = find_receipt(target.connection, artifact.id)
        target.connection.rollback()
        if receipt is None or receipt["manifest_sha256"] != artifact.manifest["sha256"]:
            message = "{} was not imported into this metadata database. Run the import first."
            raise NotImported(message.format(storage.url))
        imported = receipt["result"]
        _require_not_followed(target, artifact)
        with upgraded_artifact(
            target, artifact, processes, progress, imported["pickled_xcoms"], bool(imported["without_parent"])
        ) as upgraded, progress.phase("compare"):
            if imported["mended_for_hop"]:
                _mend(upgraded, imported["mended_for_hop"], imported["pickled_xcoms"])
            replaced = None
            if imported.get("follows") is not None:
                replaced = replaced_rows(upgraded, artifact)
            tables = _compare_tables(upgraded, imported["tables"], replaced, progress)
    verified = all(table["match"] for table in tables.values())
    return {"verified": verified, "artifact_id": artifact.id, "tables": tables, "phases": progress.phases}


def _require_not_followed(target: MetadataDatabase, artifact: Artifact) -> None:
    """Raises FollowedByDelta if the target no longer holds what the artifact does."""
    later = follower(target.connection, artifact.id)
    target.connection.rollback()
    if later is not None:
        message = "{} was merged after {} and has replaced rows of it. Verify {} instead."
        raise FollowedByDelta(message.format(later, artifact.id, later))


def _mend(upgraded: UpgradedArtifact, hop_version: str, pickled_xcoms: str) -> None:
    """Do to the rows in the scratch schema what ``prepare_hop`` has done to those in the target."""
    revision = upgraded.target.revision
    mend_rows(upgraded.connection, upgraded.scratch.name, revision, hop_version, pickled_xcoms)
    upgraded.connection.commit()


def _compare_tables(
    upgraded: UpgradedArtifact,
    imported: Dict[str, Dict[str, Any]],
    replaced: ReplacedRows | None,
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """``imported`` is what the import's result says of each table; ``replaced`` is what a delta has replaced."""
    execute(upgraded.connection, "set local work_mem to '64MB'")
    results: dict[str, dict[str, Any]] = {}
    for name, told in imported.items():
        if name not in upgraded.tables:
            results[name] = dict(told, match=True)
            continue
        begun = time.monotonic()
        compared = _compare_table(upgraded, name, replaced, progress)
        results[name] = {
            "exported": told["exported"],
            "merged": told["merged"],
            "kept": told["kept"],
            "set_aside": told["set_aside"],
            **compared,
        }
        note = f"{compared['missing']} missing, {compared['differing']} differing"
        progress.table("compare", name, told["exported"], time.monotonic() - begun, note=note)
    if "sums" in upgraded.artifact.manifest:
        results = _compare_others(upgraded, results, progress)
        upgraded.connection.commit()
    upgraded.connection.rollback()
    return results


def _compare_others(
    upgraded: UpgradedArtifact, results: dict[str, dict[str, Any]], progress: Progress
) -> dict[str, dict[str, Any]]:
    """The results of a base or delta, with what has changed in the target's other runs since they were verified."""
    others = compare_and_record(upgraded, all(table["match"] for table in results.values()))
    if others.not_verified is not None:
        progress.say(
            f"compare: runs outside of the delta are not compared, because {others.not_verified} was not verified"
        )
    for name, runs in others.changed.items():
        progress.say(f"compare: {name}: rows of {len(runs):,} other runs have changed in the target")
        examples = [*results[name]["examples"], *runs[:EXAMPLES]]
        results[name] = dict(results[name], changed=len(runs), match=False, examples=examples)
    return results


def _compare_table(
    upgraded: UpgradedArtifact, name: str, replaced: ReplacedRows | None, progress: Progress
) -> dict[str, Any]:
    table = upgraded.tables[name]
    rows = ComparableRows(upgraded, table, default_log_filename(upgraded.scratch))
    within = None if replaced is None else replaced.condition(table)
    hash_rows(upgraded, rows, rows_not_written(upgraded.artifact.id, name), within)
    found = compare(upgraded, rows)
    if found.missing or found.differing:
        accepted = accept_changes_by_airflow(upgraded, rows)
        if accepted:
            progress.say(f"compare: {name}: the target's Airflow has gone on with {accepted} rows by itself")
            found = compare(upgraded, rows)
    surplus = Surplus(0, []) if replaced is None else replaced.surplus(rows)
    secrets = without_kept(upgraded, name, differing_secrets(upgraded.scratch, table))
    return {
        "missing": found.missing,
        "differing": found.differing,
        "secrets_differing": secrets,
        "checksum_source": found.checksum_source,
        "checksum_target": found.checksum_target,
        **({} if replaced is None else {"surplus": surplus.rows}),
        "match": not (found.missing or found.differing or surplus.rows or secrets),
        "examples": found.examples + surplus.examples,
    }
