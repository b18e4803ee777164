"""Writes the rows of each table into parts, with what the manifest says of them."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, NamedTuple

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, Decrypter
from mwaa_migrator.artifact.manifest import TABLES
from mwaa_migrator.artifact.parts import PartWriter, row_buffer
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ExportFailed
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.other_databases.refused_rows import unfit_rows
from mwaa_migrator.other_databases.row_cut import RowCut
from mwaa_migrator.other_databases.row_lines import read_rows
from mwaa_migrator.other_databases.source import name
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.copy_text import format_row, parse_row
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.configuration import fernet


class ReadTables(NamedTuple):
    """``entries`` are the manifest's, by table; ``undecryptable`` names rows that no key decrypts, which are left."""

    entries: Dict[str, Dict[str, Any]]
    unfit: List[RefusedRows]
    undecryptable: List[str]


def read_tables(cut: RowCut, storage: Storage | None, progress: Progress, phase: str) -> ReadTables:
    """Read all rows of the cut; without a ``storage``, only look at them."""
    read = ReadTables({}, [], [])
    key = fernet()
    for table in cut.plan.tables.values():
        begun = time.monotonic()
        entry = read.entries[table.name] = _read_table(cut, table, storage, key, read)
        progress.table(phase, table.name, entry["rows"], time.monotonic() - begun, entry["bytes"])
    return read


def _read_table(cut: RowCut, table: Table, storage: Storage | None, key: Any, read: ReadTables) -> Dict[str, Any]:
    parts = PartWriter(storage, f"{TABLES}/{table.name}/0000") if storage is not None else None
    buffer = row_buffer(parts) if parts is not None else None
    write = buffer.write if buffer is not None else _nothing
    decrypter = Decrypter(table.name, table.column_names, key) if table.name in ENCRYPTED_COLUMNS else None
    try:
        found = read_rows(cut.plan.source, table, cut.condition(table), _decrypting(decrypter, write))
        if parts is not None and buffer is not None:
            buffer.flush()
            parts.close()
    except BaseException:
        if parts is not None:
            parts.abort()
        raise
    failures = decrypter.failures if decrypter is not None else []
    read.unfit.extend(unfit_rows(cut, table, found))
    read.undecryptable.extend(failures)
    rows = found.rows - len(failures)
    written = parts.parts if parts is not None else []
    _check_rows(cut, table, found.rows + found.unfit_rows, rows, written if storage is not None else None)
    return {
        "columns": list(table.column_names),
        "rows": rows,
        "bytes": sum(part["bytes"] for part in written),
        "parts": written,
        # The checksum counts rows that are not in the artifact.
        "checksum": None if failures else str(found.checksum),
    }


def _nothing(line: bytes) -> int:
    return len(line)


def _decrypting(decrypter: Decrypter | None, write: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    if decrypter is None:
        return write
    pieces: List[bytes] = []

    def decrypt(piece: bytes) -> None:
        pieces.append(piece)
        # A large row comes in pieces; a line break inside a value is escaped.
        if piece.endswith(b"\n"):
            line = b"".join(pieces).decode("utf-8")[:-1]
            pieces.clear()
            assert decrypter is not None
            clear = decrypter.decrypt(parse_row(line))
            if clear is not None:
                write((format_row(clear) + "\n").encode("utf-8"))

    return decrypt


def _check_rows(cut: RowCut, table: Table, seen: int, rows: int, parts: List[Dict[str, Any]] | None) -> None:
    """Raises ExportFailed unless three counts agree: the database's, the reading's and the parts'."""
    condition = cut.condition(table)
    where = "" if condition is None else f" where {condition}"
    there = int(cut.plan.source.value(f"select count(*) from {name(table.name)} t{where}"))  # nosec B608
    in_parts = rows if parts is None else sum(part["rows"] for part in parts)
    if seen != there or rows != in_parts:
        message = "{}: the database has {} rows, {} were read, {} kept, and the parts hold {}. Export again."
        raise ExportFailed(message.format(table.name, there, seen, rows, in_parts))
