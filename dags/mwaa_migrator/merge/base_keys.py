"""Which numbers the target gave to the source's rows when a base was merged, so that a delta gives them again.

They are beside the receipts: the blocks of numbers of each table, and the rows in whose place the target already had
one of its own, which kept its key.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from psycopg2 import sql

from mwaa_migrator.merge import merge_tables
from mwaa_migrator.merge.key_blocks import KeyBlock, KeyBlocks
from mwaa_migrator.merge.merge_tables import ROWS_NOT_INSERTED
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.postgres import temporary_tables
from mwaa_migrator.postgres.session import execute, fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


def create_key_tables(connection: Any) -> None:
    """Make this module's tables if they are missing."""
    execute(
        connection,
        "create table if not exists mwaa_migrator.key_blocks (artifact_id text not null, table_name text not null, "
        "position int not null, lowest bigint not null, highest bigint not null, shift bigint not null)",
    )
    execute(
        connection,
        "create table if not exists mwaa_migrator.kept_keys (artifact_id text not null, table_name text not null, "
        "source_key text not null, target_key text not null)",
    )


def note_key_blocks(connection: Any, artifact_id: str, blocks: Dict[str, KeyBlocks]) -> None:
    for table, of_table in blocks.items():
        for position, block in enumerate(of_table.blocks):
            execute(
                connection,
                "insert into mwaa_migrator.key_blocks values (%s, %s, %s, %s, %s, %s)",
                (artifact_id, table, position, *block),
            )


def noted_key_blocks(connection: Any, artifact_id: str) -> Dict[str, KeyBlocks]:
    query = (
        "select table_name, lowest, highest, shift from mwaa_migrator.key_blocks where artifact_id = %s "
        "order by table_name, position"
    )
    blocks: Dict[str, List[KeyBlock]] = {}
    for table, *block in fetch_all(connection, query, (artifact_id,)):
        blocks.setdefault(table, []).append(KeyBlock(*block))
    return {table: KeyBlocks(tuple(of_table)) for table, of_table in blocks.items()}


def note_kept_keys(connection: Any, artifact_id: str, table: str, moved: sql.Composable) -> int:
    """Note the rows of the merge's ``ROWS_NOT_INSERTED`` that have another key than ``moved``; returns how many.

    ``moved`` is what ``source_key`` becomes in the table's block.
    """
    query = sql.SQL(
        "insert into mwaa_migrator.kept_keys select {}, {}, source_key::text, target_key::text from {} "
        "where source_key is not null and target_key is not null and target_key is distinct from {}"
    )
    return execute(connection, query.format(sql.Literal(artifact_id), sql.Literal(table), ROWS_NOT_INSERTED, moved))


def use_keys_of_base(upgraded: UpgradedArtifact, translation: Translation, chain: Sequence[str]) -> None:
    """Have the translation give rows the keys by which the artifacts of ``chain`` have met the target's own."""
    connection = upgraded.connection
    query = "select distinct table_name from mwaa_migrator.kept_keys where artifact_id = any(%s) order by 1"
    tables = [name for (name,) in fetch_all(connection, query, (list(chain),)) if name in upgraded.target_tables]
    for number, name in enumerate(tables):
        table = upgraded.target_tables[name]
        keys = sql.SQL(
            "select distinct on (source_key) source_key::{0}, target_key::{0} from mwaa_migrator.kept_keys "
            "where artifact_id = any({1}::text[]) and table_name = {2} "
            "order by source_key, array_position({1}::text[], artifact_id)"
        ).format(sql.SQL("uuid" if table.has_uuid_key else "bigint"), sql.Literal(list(chain)), sql.Literal(name))
        temporary = merge_tables.keys_of_base(number)
        temporary_tables.create_from(connection, temporary, keys)
        temporary_tables.analyze(connection, temporary)
        translation.use_keys_of_base(name, temporary)
