"""Exports the tables whose rows hold secrets: decrypted with the source's key on their way into the artifact."""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, Decrypter
from mwaa_migrator.artifact.manifest import TABLES
from mwaa_migrator.artifact.parts import PartWriter, row_buffer
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.export.table_copies import select
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.copy_text import Row, RowLines, format_row
from mwaa_migrator.this_airflow.database import MetadataDatabase


class Decrypted(NamedTuple):
    """The parts of a table, and the names of the rows that could not be decrypted and are not in them."""

    parts: List[Any]
    failures: List[str]


def export_encrypted(
    source: MetadataDatabase, table: Table, condition: sql.Composable | None, storage: Storage, fernet: Any
) -> Decrypted:
    parts = PartWriter(storage, f"{TABLES}/{table.name}/0000")
    buffer = row_buffer(parts)

    def write(clear: Row) -> None:
        buffer.write((format_row(clear) + "\n").encode("utf-8"))

    try:
        failures = _decrypt(source, table, condition, fernet, write)
        buffer.flush()
        parts.close()
    except BaseException:
        parts.abort()
        raise
    return Decrypted(parts.parts, failures)


def find_undecryptable(cut: HistoryCut, fernet: Any) -> List[str]:
    """The names of the rows inside the cut that this key does not decrypt."""
    failures: List[str] = []
    for name in sorted(set(cut.plan.tables) & set(ENCRYPTED_COLUMNS)):
        table = cut.plan.tables[name]
        failures += _decrypt(cut.plan.source, table, cut.condition(table), fernet, lambda clear: None)
    return failures


def _decrypt(
    source: MetadataDatabase,
    table: Table,
    condition: sql.Composable | None,
    fernet: Any,
    take: Callable[[Row], None],
) -> List[str]:
    """Hand each row in clear to ``take``, and return the names of those that the key does not decrypt."""
    decrypter = Decrypter(table.name, table.column_names, fernet)

    def decrypt(row: Row) -> None:
        clear = decrypter.decrypt(row)
        if clear is not None:
            take(clear)

    query = select(source, table, condition, table.column_names)
    with source.connection.cursor() as cursor:
        cursor.copy_expert(sql.SQL("copy ({}) to stdout").format(query), RowLines(decrypt))
    return decrypter.failures
