"""A few rows of a table by their names, for a message of one line."""

from __future__ import annotations

from typing import Sequence

from psycopg2 import sql

from mwaa_migrator.postgres import identifiers

#: So many rows are named.
EXAMPLES = 5
_MOST_CHARACTERS = 120


def row_name(columns: Sequence[str]) -> sql.Composed:
    """The values of the columns of a row with the alias ``t``, as text without line breaks, which a key may have."""
    return sql.SQL("regexp_replace(left(concat_ws(' ', {}), {}), '[[:cntrl:]]+', ' ', 'g')").format(
        identifiers.columns(columns, "t"), sql.Literal(_MOST_CHARACTERS)
    )


def listed(examples: Sequence[str], rows: int) -> str:
    """The names of some of so many rows."""
    return ", ".join(examples) + ("" if rows == len(examples) else ", ...")
