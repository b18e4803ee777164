"""StageDags: copies the user's DAG folder to the target and puts our DAGs into both environments' folders.

What an earlier attempt has copied and the source no longer has, leaves the target: a broken file that was deleted would
fail every further attempt. Files that the owner of an adopted target has put there stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from migration import phase_names, wording
from migration.aws import clients
from migration.environments import dag_folder
from migration.environments.bucket_writer import COPIERS, BucketWriter
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state

# Files that a note names.
_NAMED = 5


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
    before: dict[str, str | None] = shared.read(layout.COPIED_DAGS) or {}
    now = set(dag_folder.users_files(from_s3, source["bucket"], source["dagsPath"]) if _copies(migration) else ())
    if migration["adopted"]:
        there = dag_folder.users_files(writer.s3, target["bucket"], target["dagsPath"])
        owners = {name for name in now if name in there and name not in before}
        now -= owners
        _note_owners_files(migration, owners)
    # Before they are there, so that an attempt which ends in between leaves no file that nobody knows.
    shared.write(layout.COPIED_DAGS, dict.fromkeys(sorted({*before, *now})))
    objects = dag_folder.copy_folder(from_s3, source["bucket"], source["dagsPath"], writer, target["dagsPath"], now)
    dag_folder.remove_files(writer.s3, target["bucket"], target["dagsPath"], before.keys() - now)
    # What is taken back of an adopted target is what nobody has changed.
    copied = (
        dag_folder.users_files(writer.s3, target["bucket"], target["dagsPath"])
        if migration["adopted"]
        else dict.fromkeys(now)
    )
    shared.write(layout.COPIED_DAGS, {name: copied[name] for name in sorted(now) if name in copied})
    ours = dag_folder.put_our_dags(BucketWriter.of(from_s3, source["bucket"]), source["dagsPath"])
    dag_folder.put_our_dags(writer, target["dagsPath"])
    logger.info("staged", extra={"objects": objects, "ours": ours})
    return StagedDags(objects=objects, ours=ours)


def _copies(migration: Migration) -> bool:
    """Whether the source's DAG files are copied at all."""
    return bool(migration["options"]["copyDags"])


def _note_owners_files(migration: Migration, owners: set[str]) -> None:
    """Has the report say which files stay as the owner of an adopted target has put them."""
    if not owners:
        return
    store = of_attempt(clients.s3(), migration)
    told = store.read(layout.CREATION) or {"notes": []}
    named = sorted(owners)
    name = migration["target"]["environment"]
    some = ", ".join(named[:_NAMED]) + (", ..." if len(named) > _NAMED else "")
    note = (
        f"In the DAG folder of {name}, {wording.counted(len(named), 'file')} of its owner "
        f"stayed in place of the source's: {some}."
    )
    if note not in told["notes"]:
        store.write(layout.CREATION, {**told, "notes": [*told["notes"], note]})
