"""StageDags: copies the user's DAG folder to the target and puts our DAGs into both environments' folders.

What an earlier attempt has copied and the source no longer has, leaves the target: a broken file that was deleted would
fail every further attempt.
"""

from __future__ import annotations

from dataclasses import dataclass

from migration import phase_names
from migration.aws import clients
from migration.environments import dag_folder
from migration.environments.bucket_writer import COPIERS, BucketWriter
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class StagedDags:
    """How many objects of the user's and of ours are in the target."""

    objects: int
    ours: int


@state
def handler(*, execution: str, migration: Migration) -> StagedDags:
    require_locks(migration, execution)
    source, target = migration["source"], migration["target"]
    of_attempt(clients.s3(), migration).start_phase(phase_names.STAGE_RESOURCES)
    from_s3 = clients.s3(source["region"], COPIERS)
    writer = BucketWriter.of(clients.s3(target["region"], COPIERS), target["bucket"])
    shared = of_migration(clients.s3(), migration)
    before = set(shared.read(layout.COPIED_DAGS) or [])
    now = dag_folder.users_files(from_s3, source["bucket"], source["dagsPath"])
    # Before they are there, so that an attempt which ends in between leaves no file that nobody knows.
    shared.write(layout.COPIED_DAGS, sorted(before | now))
    objects = dag_folder.copy_folder(from_s3, source["bucket"], source["dagsPath"], writer, target["dagsPath"])
    dag_folder.remove_files(writer.s3, target["bucket"], target["dagsPath"], before - now)
    shared.write(layout.COPIED_DAGS, sorted(now))
    ours = dag_folder.put_our_dags(BucketWriter.of(from_s3, source["bucket"]), source["dagsPath"])
    dag_folder.put_our_dags(writer, target["dagsPath"])
    logger.info("staged", extra={"objects": objects, "ours": ours})
    return StagedDags(objects=objects, ours=ours)
