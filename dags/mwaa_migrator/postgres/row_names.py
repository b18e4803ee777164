"""A few rows of a table by their names, for a message of one line."""

from __future__ import annotations

from typing import Sequence

from psycopg2 import sql

from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.checksums import WITHOUT_ENCODING

#: So many rows are named.
EXAMPLES = 5
_MOST_CHARACTERS = 120


def row_name(columns: Sequence[str], server_encoding: str = "UTF8") -> sql.Composed:
    """The values of the columns of a row with the alias ``t``, as text without line breaks, which a key may have."""
    name: sql.Composable = sql.SQL("concat_ws(' ', {})").format(identifiers.columns(columns, "t"))
    if server_encoding == WITHOUT_ENCODING:
        # It may hold any bytes; those beyond ASCII are shown by their numbers.
        name = sql.SQL("encode(convert_to({}, 'SQL_ASCII'), 'escape')").format(name)
    return sql.SQL("regexp_replace(left({}, {}), '[[:cntrl:]]+', ' ', 'g')").format(name, sql.Literal(_MOST_CHARACTERS))
