"""The columns that Airflow encrypts: decrypted with the source's Fernet key, encrypted with the target's.

In the artifact their values are in clear, inside objects that the bucket's KMS key encrypts; the flags that say whether
a value is encrypted stay as they were. The tables are small, so their rows pass through Python one by one.
"""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Sequence

from mwaa_migrator.errors import UndecryptableSecret
from mwaa_migrator.postgres.catalog import Column
from mwaa_migrator.postgres.copy_text import Row


class EncryptedColumn(NamedTuple):
    """``flag`` is the column that says whether a value is encrypted; None if there is no such column."""

    column: str
    flag: str | None


#: By table (airflow.models.variable, .connection, .trigger). A trigger's kwargs are encrypted since Airflow 2.9.
ENCRYPTED_COLUMNS: Mapping[str, Sequence[EncryptedColumn]] = {
    "variable": (EncryptedColumn("val", "is_encrypted"),),
    "connection": (EncryptedColumn("password", "is_encrypted"), EncryptedColumn("extra", "is_extra_encrypted")),
    "trigger": (EncryptedColumn("kwargs", None),),
}

#: The column by which messages name a row of such a table.
ROW_NAMES = {"variable": "key", "connection": "conn_id", "trigger": "id"}

#: How COPY writes a flag that is set; a number and a text are what some tools make of a boolean.
_TRUE = ("t", "1", "true")

#: The beginning of every Fernet token: version byte 0x80 and the first bytes of a time stamp, in base64.
FERNET_TOKEN = "gAAAAA"


def ciphertext_columns(table: str) -> tuple[str, ...]:
    """The columns of a table that differ between two encryptions of the same value, flags included."""
    names = []
    for encrypted in ENCRYPTED_COLUMNS.get(table, ()):
        names.append(encrypted.column)
        if encrypted.flag:
            names.append(encrypted.flag)
    return tuple(names)


class Decrypter:
    """Decrypts the rows of one table. ``failures`` names the rows that could not be decrypted."""

    def __init__(self, table: str, columns: Sequence[str], fernet: Any) -> None:
        self.failures: list[str] = []
        self._table = table
        self._positions = [
            (columns.index(encrypted.column), columns.index(encrypted.flag) if encrypted.flag else None)
            for encrypted in ENCRYPTED_COLUMNS[table]
            if encrypted.column in columns
        ]
        self._columns = columns
        self._name = columns.index(ROW_NAMES[table])
        self._fernet = fernet

    def decrypt(self, row: Row) -> Row | None:
        """The row with its values in clear, or None if one of them cannot be decrypted."""
        clear = list(row)
        for position, flag in self._positions:
            value = row[position]
            is_encrypted = row[flag] in _TRUE if flag is not None else str(value).startswith(FERNET_TOKEN)
            if not value or not is_encrypted:
                continue
            text = _decrypt(self._fernet, value)
            if text is None:
                self.failures.append(f"{self._table} {row[self._name]} ({self._columns[position]})")
                return None
            clear[position] = text
        return clear


class Encrypter:
    """Encrypts the rows of one table with the target's key, and sets the flags accordingly."""

    def __init__(self, table: str, columns: Sequence[Column], fernet: Any) -> None:
        names = [column.name for column in columns]
        # Before Airflow 2.9 a trigger's kwargs are a JSON column in clear; Airflow's migration encrypts it.
        self._positions = [
            (names.index(encrypted.column), names.index(encrypted.flag) if encrypted.flag else None)
            for encrypted in ENCRYPTED_COLUMNS[table]
            if encrypted.column in names and columns[names.index(encrypted.column)].type not in ("json", "jsonb")
        ]
        self._fernet = fernet

    def encrypt(self, row: Row) -> Row:
        encrypted = list(row)
        for position, flag in self._positions:
            value = row[position]
            # Airflow encrypts an empty variable, and leaves an empty password alone.
            if value is None or (not value and (flag is None or row[flag] not in _TRUE)):
                continue
            if self._fernet.is_encrypted:
                encrypted[position] = self._fernet.encrypt(value.encode("utf-8")).decode("utf-8")
            if flag is not None:
                encrypted[flag] = "t" if self._fernet.is_encrypted else "f"
        return encrypted


def _decrypt(fernet: Any, value: str) -> str | None:
    """The clear text, or None if this key did not encrypt the value."""
    from cryptography.fernet import InvalidToken

    if not fernet.is_encrypted:
        return None
    try:
        return str(fernet.decrypt(value.encode("utf-8")).decode("utf-8"))
    except (InvalidToken, UnicodeDecodeError):
        return None


def refuse_undecryptable(failures: List[str]) -> None:
    """Raises UndecryptableSecret if there are any."""
    if failures:
        raise UndecryptableSecret(
            "This Airflow's Fernet key does not decrypt: {}. Set the key that encrypted them (several keys are "
            "separated by commas), set the values anew, or leave them behind with --skip-undecryptable.".format(
                ", ".join(failures)
            )
        )
