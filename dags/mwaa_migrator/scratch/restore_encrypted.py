"""Restores the tables whose rows hold secrets: encrypted with the target's key on their way into the database."""

from __future__ import annotations

import io
from typing import Any

from psycopg2 import Error as DatabaseError
from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import Encrypter
from mwaa_migrator.artifact.parts import PartReader
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.copy_text import Row, RowLines, format_row
from mwaa_migrator.scratch.scratch_schema import ScratchSchema


def restore_encrypted(scratch: ScratchSchema, table: Table, fernet: Any) -> int:
    """Copy all parts of a table in, commit, and return how many rows there were."""
    entry = scratch.artifact.tables[table.name]
    encrypter = Encrypter(table.name, [table.column(name) for name in entry["columns"]], fernet)
    statement = sql.SQL("copy {} ({}) from stdin").format(
        scratch.table(table.name), identifiers.columns(entry["columns"])
    )
    rows = 0
    for part in entry["parts"]:
        reader = PartReader(scratch.artifact.storage, part)
        try:
            with scratch.connection.cursor() as cursor:
                cursor.copy_expert(statement, _EncryptedRows(reader, encrypter))
                rows += cursor.rowcount
        except DatabaseError:
            if reader.failure is not None:
                raise reader.failure from None
            raise
        finally:
            reader.close()
    scratch.connection.commit()
    return rows


class _EncryptedRows:
    """A file for COPY FROM: the rows of a part, with their secrets encrypted on the way."""

    def __init__(self, reader: PartReader, encrypter: Encrypter) -> None:
        self._reader = reader
        self._encrypter = encrypter
        self._ready = io.BytesIO()
        self._lines: list[bytes] = []
        self._rows = RowLines(self._take)

    def _take(self, row: Row) -> None:
        self._lines.append((format_row(self._encrypter.encrypt(row)) + "\n").encode("utf-8"))

    def read(self, size: int = 8192) -> bytes:
        while True:
            ready = self._ready.read(size)
            if ready:
                return ready
            block = self._reader.read()
            if not block:
                return b""
            self._rows.write(block)
            self._ready = io.BytesIO(b"".join(self._lines))
            self._lines = []
