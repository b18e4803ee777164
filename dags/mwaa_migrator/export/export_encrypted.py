"""Exports the tables whose rows hold secrets: decrypted with the source's key on their way into the artifact."""

from __future__ import annotations

from typing import Any, List, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import Decrypter
from mwaa_migrator.artifact.manifest import TABLES
from mwaa_migrator.artifact.parts import PartWriter, row_buffer
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import UndecryptableSecret
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
    decrypter = Decrypter(table.name, table.column_names, fernet)
    parts = PartWriter(storage, f"{TABLES}/{table.name}/0000")
    buffer = row_buffer(parts)

    def handle(row: Row) -> None:
        clear = decrypter.decrypt(row)
        if clear is not None:
            buffer.write((format_row(clear) + "\n").encode("utf-8"))

    query = select(source, table, condition, table.column_names)
    try:
        with source.connection.cursor() as cursor:
            cursor.copy_expert(sql.SQL("copy ({}) to stdout").format(query), RowLines(handle))
        buffer.flush()
        parts.close()
    except BaseException:
        parts.abort()
        raise
    return Decrypted(parts.parts, decrypter.failures)


def refuse_undecryptable(failures: List[str]) -> None:
    """Raises UndecryptableSecret if there are any."""
    if failures:
        raise UndecryptableSecret(
            "This Airflow's Fernet key does not decrypt: {}. Set the key that encrypted them (several keys are "
            "separated by commas), set the values anew, or leave them behind with --skip-undecryptable.".format(
                ", ".join(failures)
            )
        )
