"""StageRollBack: puts our DAGs into the source's folder, where one of them resumes the user's."""

from __future__ import annotations

from dataclasses import dataclass

from migration.aws import clients
from migration.environments import dag_folder
from migration.environments.bucket_writer import COPIERS, BucketWriter
from migration.exchange.locks import require_locks
from migration.model import Migration
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class StagedRollBack:
    """How many of our files are in the source's DAG folder."""

    ours: int


@state
def handler(*, execution: str, migration: Migration) -> StagedRollBack:
    require_locks(migration, execution)
    source = migration["source"]
    writer = BucketWriter.of(clients.s3(source["region"], COPIERS), source["bucket"])
    return StagedRollBack(ours=dag_folder.put_our_dags(writer, source["dagsPath"]))
