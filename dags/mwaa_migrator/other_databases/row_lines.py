"""The rows of a table as lines of COPY text, and their checksum, which PostgreSQL computes of the restored rows too."""

from __future__ import annotations

import hashlib
from binascii import hexlify
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, List, Sequence

from mwaa_migrator.airflow_schema.encryption import ciphertext_columns
from mwaa_migrator.other_databases.source import (
    Source,
    as_text,
    is_unlimited,
    kind,
    literal,
    name,
)
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.copy_text import parse_row
from mwaa_migrator.postgres.text_checksum import NULL, SEPARATOR

#: A row whose values of any length have more bytes than this is read in pieces: MySQL makes NULL of a line that is
#: longer than its max_allowed_packet, of which the least default is 1 MB, and a binary value's line is twice as long.
_LARGE_BYTES = 256 * 1024

#: Bytes that are read at once of such a value.
_PIECE = 512 * 1024

#: Between the values of a row that the database has joined, and for NULL. A value that has them is named, or makes the
#: row's checksum another.
_SEPARATOR, _NULL = "\x1c\x1f", "\x1c\x1e"
_SEPARATOR_BYTES, _NULL_BYTES = _SEPARATOR.encode(), _NULL.encode()

_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))

#: So many rows with values that PostgreSQL does not take are named.
EXAMPLES = 5


@dataclass
class TableRows:
    """What the reading of a table has found. ``unfit`` counts rows that PostgreSQL would not take, by column."""

    rows: int = 0
    unfit_rows: int = 0
    checksum: int = 0
    unfit: dict[str, int] = field(default_factory=dict)
    examples: dict[str, List[str]] = field(default_factory=dict)

    def add(self, md5: Any) -> None:
        """Count a row by its hash, of which the first 64 bits are a signed number, as in PostgreSQL."""
        number = int(md5[:16], 16)
        self.checksum += number - 2**64 if number >= 2**63 else number
        self.rows += 1

    def add_unfit(self, table: Table, values: Sequence[str | None], columns: Sequence[str]) -> None:
        self.unfit_rows += 1
        key = table.primary_key or table.column_names
        named = " ".join(str(value) for column, value in zip(table.column_names, values) if column in key)
        for column in columns:
            self.unfit[column] = self.unfit.get(column, 0) + 1
            examples = self.examples.setdefault(column, [])
            if len(examples) < EXAMPLES:
                examples.append(" ".join(named.replace("\x00", "").split())[:120])


def read_rows(source: Source, table: Table, condition: str | None, write: Callable[[bytes], Any]) -> TableRows:
    """Hand each row's line to ``write``, in one or several pieces of which the last ends with a line end.

    Rows with a value that PostgreSQL does not take are counted and named, and not handed over.
    """
    found = TableRows()
    where = "" if condition is None else f" where {condition}"
    size = _size(source, table)
    large = 0
    if size is not None:
        large_ones = _and(where, f"{size} > {_LARGE_BYTES}")
        large = int(source.value(f"select count(*) from {name(table.name)} t{large_ones}"))  # nosec B608
    hashed = [column for column in table.columns if column.name not in ciphertext_columns(table.name)]
    fields = [f"coalesce({source.field(table.name, column)}, {literal(_NULL)})" for column in table.columns]
    texts = [f"coalesce({source.hashed(table.name, column)}, {literal(NULL)})" for column in hashed]
    line, md5 = source.joined(fields, _SEPARATOR), source.row_hash(source.joined(texts, SEPARATOR))
    # Rows without large values alone: of the others, the line would be NULL.
    small = _and(where, f"{size} <= {_LARGE_BYTES}") if large else where
    separators = len(fields) - 1
    for raw, row_md5 in source.query(f"select {line}, {md5} from {name(table.name)} t{small}"):  # nosec B608
        row = _copy_text(raw)
        if b"\0" in row or raw.count(_SEPARATOR_BYTES) != separators or not _is_utf8(row):
            values = parse_row(row.decode("utf-8", "backslashreplace"))
            found.add_unfit(table, values, _unfit_columns(table, values))
            continue
        write(row + b"\n")
        found.add(row_md5)
    if large:
        assert size is not None
        for key in list(_large_rows(source, table, _and(where, f"{size} > {_LARGE_BYTES}"))):
            _read_large_row(source, table, key, hashed, write, found)
    return found


def _copy_text(raw: bytes) -> bytes:
    """A line as COPY takes it, of values that nothing has been escaped in."""
    return _escaped(raw).replace(_SEPARATOR_BYTES, b"\t").replace(_NULL_BYTES, b"\\N")


def _escaped(raw: bytes) -> bytes:
    for character, escape in _ESCAPES:
        raw = raw.replace(character, escape)
    return raw


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unfit_columns(table: Table, values: Sequence[str | None]) -> List[str]:
    odd = [column for column, value in zip(table.column_names, values) if value is not None and "\x00" in value]
    # What is no UTF-8 has been decoded with backslashes. Where a value has our separators, the columns do not fit.
    no_utf8 = [column.name for column, value in zip(table.columns, values) if value and "\\x" in value]
    return odd or no_utf8[:1] or [column.name for column in table.columns if column.most_characters][:1]


def _and(where: str, condition: str) -> str:
    return f"{where} and {condition}" if where else f" where {condition}"


def _size(source: Source, table: Table) -> str | None:
    """The SQL of the bytes of a row's values that can be of any length; None if there are none."""
    sizes = [f"coalesce(length({source.raw(column)}), 0)" for column in table.columns if is_unlimited(column)]
    return f"({' + '.join(sizes)})" if sizes else None


def _large_rows(source: Source, table: Table, where: str) -> Iterator[str]:
    """For each such row, the SQL of the condition by which it is found again."""
    key = source.row_key(table.name, table.primary_key)
    for values in source.query(f"select {', '.join(key)} from {name(table.name)} t{where}"):  # nosec B608
        yield " and ".join(f"{column} = {_key_literal(value)}" for column, value in zip(key, values))


def _key_literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else literal(as_text(value) or "")


def _read_large_row(
    source: Source,
    table: Table,
    condition: str,
    hashed: Sequence[Column],
    write: Callable[[bytes], Any],
    found: TableRows,
) -> None:
    """Write the line value by value; of values of any length, no more than a piece is in memory."""
    where = f" from {name(table.name)} t where {condition}"
    unfit = [column.name for column in table.columns if is_unlimited(column) and _has_nul(source, column, where)]
    limited = [column for column in table.columns if not is_unlimited(column)]
    fields = [source.field(table.name, column) for column in limited]
    texts = [source.hashed(table.name, column) for column in limited]
    (values,) = source.query(f"select {', '.join(fields + texts)}{where}") if limited else ((),)
    lines = dict(zip([column.name for column in limited], values))
    hashes = dict(zip([column.name for column in limited], values[len(limited) :]))
    unfit += [column for column, value in lines.items() if value is not None and b"\0" in _bytes(value)]
    if unfit:
        shown = [as_text(lines.get(column)) for column in table.column_names]
        found.add_unfit(table, shown, unfit)
        return
    for number, column in enumerate(table.columns):
        if number:
            write(b"\t")
        if column.name in lines:
            value = lines[column.name]
            write(b"\\N" if value is None else _escaped(_bytes(value)))
        else:
            hashes[column.name] = _write_pieces(source, column, where, write)
    write(b"\n")
    texts_of_row = [NULL.encode() if hashes[column.name] is None else _bytes(hashes[column.name]) for column in hashed]
    found.add(hashlib.md5(SEPARATOR.encode().join(texts_of_row)).hexdigest())  # nosec B324


def _has_nul(source: Source, column: Column, where: str) -> bool:
    if kind(column) == "bytea":
        return False
    return any(b"\0" in piece for piece in _pieces(source, column, where))


def _write_pieces(source: Source, column: Column, where: str, write: Callable[[bytes], Any]) -> str | None:
    """Returns what stands for the value in the row's hash."""
    digest = None
    for piece in _pieces(source, column, where):
        if digest is None:
            digest = hashlib.md5()  # nosec B324
            if kind(column) == "bytea":
                write(b"\\\\x")
        digest.update(piece)
        if kind(column) == "bytea":
            write(hexlify(piece))
        else:
            write(_escaped(piece))
    if digest is None:
        write(b"\\N")
    return digest and digest.hexdigest()


def _pieces(source: Source, column: Column, where: str) -> Iterator[bytes]:
    """The value's bytes; nothing at all for NULL."""
    raw = source.raw(column)
    size = source.value(f"select length({raw}){where}")
    if size is None:
        return
    for start in range(1, max(1, int(size)) + 1, _PIECE):
        yield _bytes(source.value(f"select substr({raw}, {start}, {_PIECE}){where}"))


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else str(value).encode("utf-8")
