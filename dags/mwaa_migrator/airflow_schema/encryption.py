"""Carries encrypted columns over: decrypted with the source's Fernet key, encrypted with the target's.

In the artifact the values are in clear, inside objects that the bucket's KMS key encrypts; the flags that say whether a
value is encrypted travel as they were. The tables are small, so their rows pass through Python one by one.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

from mwaa_migrator.airflow_schema.tables import SECRET_COLUMNS, SECRET_NAMES
from mwaa_migrator.postgres.catalog import Column

Row = List[Optional[str]]

#: What every Fernet token begins with: version byte 0x80 and the first bytes of a time stamp, in base64.
FERNET_TOKEN = "gAAAAA"

_ESCAPES = (("\\b", "\b"), ("\\f", "\f"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\v", "\v"))


def parse_row(line: str) -> Row:
    """The values of one line of COPY text, without its line end; ``\\N`` is None."""
    return [None if field == "\\N" else _unescape(field) for field in line.split("\t")]


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    # COPY TO writes no octal or hex escapes. Between two escaped backslashes a backslash begins an escape.
    pieces = field.split("\\\\")
    for escape, character in _ESCAPES:
        pieces = [piece.replace(escape, character) for piece in pieces]
    return "\\".join(pieces)


def format_row(row: Row) -> str:
    return "\t".join("\\N" if field is None else _escape(field) for field in row)


def _escape(field: str) -> str:
    field = field.replace("\\", "\\\\")
    for escape, character in _ESCAPES:
        field = field.replace(character, escape)
    return field


class RowLines:
    """A file for COPY TO that gives each row to ``handle``; the stream may break anywhere."""

    def __init__(self, handle: Callable[[Row], None]) -> None:
        self._handle = handle
        self._begun: list[bytes] = []

    def write(self, block: bytes) -> None:
        lines = block.split(b"\n")
        # A value of many blocks is put together once, not with each of them.
        self._begun.append(lines[0])
        if len(lines) == 1:
            return
        lines[0] = b"".join(self._begun)
        self._begun = [lines.pop()]
        for line in lines:
            self._handle(parse_row(line.decode("utf-8")))


class Decrypter:
    """Decrypts the rows of one table; ``failures`` names the rows that could not be, which are then left out."""

    def __init__(self, table: str, columns: Sequence[str], fernet: Any) -> None:
        self.failures: list[str] = []
        self._table = table
        self._secrets = [
            (columns.index(secret.column), columns.index(secret.flag) if secret.flag else None, secret.column)
            for secret in SECRET_COLUMNS[table]
            if secret.column in columns
        ]
        self._name = columns.index(SECRET_NAMES[table])
        self._fernet = fernet

    def decrypt(self, row: Row) -> Row | None:
        """The row with its values in clear, or None if one of them cannot be decrypted."""
        clear = list(row)
        for position, flag, column in self._secrets:
            value = row[position]
            encrypted = row[flag] == "t" if flag is not None else str(value).startswith(FERNET_TOKEN)
            if not value or not encrypted:
                continue
            text = decrypt_value(self._fernet, value)
            if text is None:
                self.failures.append(f"{self._table} {row[self._name]} ({column})")
                return None
            clear[position] = text
        return clear


class Encrypter:
    """Encrypts the rows of one table with the target's key and sets the flags to what was done."""

    def __init__(self, table: str, columns: Sequence[Column], fernet: Any) -> None:
        names = [column.name for column in columns]
        # Before Airflow 2.9 a trigger's kwargs are a JSON column in clear, which Airflow's migration takes care of.
        self._secrets = [
            (names.index(secret.column), names.index(secret.flag) if secret.flag else None)
            for secret in SECRET_COLUMNS[table]
            if secret.column in names and columns[names.index(secret.column)].type not in ("json", "jsonb")
        ]
        self._fernet = fernet

    def encrypt(self, row: Row) -> Row:
        encrypted = list(row)
        for position, flag in self._secrets:
            value = row[position]
            # Airflow encrypts an empty variable, and leaves an empty password as it is.
            if value is None or (not value and (flag is None or row[flag] != "t")):
                continue
            if self._fernet.is_encrypted:
                encrypted[position] = self._fernet.encrypt(value.encode("utf-8")).decode("utf-8")
            if flag is not None:
                encrypted[flag] = "t" if self._fernet.is_encrypted else "f"
        return encrypted


def decrypt_value(fernet: Any, value: str) -> str | None:
    """The clear text, or None if this key did not encrypt it."""
    from cryptography.fernet import InvalidToken

    if not fernet.is_encrypted:
        return None
    try:
        return str(fernet.decrypt(value.encode("utf-8")).decode("utf-8"))
    except (InvalidToken, UnicodeDecodeError):
        return None
