"""Which rows the target's tables do not take, because somebody has changed the source's: rules like the migrations'.

A source as Airflow makes it has none, and none of its rows is read.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.column_limits import (
    ALWAYS_TRUE,
    FRACTION,
    FRACTIONS,
    INTEGER,
    LARGEST_INTEGER,
    MOST_CHARACTERS,
    NEVER_NULL,
    TIME,
    TRUTH,
    UNIQUE,
    WITHOUT_LIMIT_SINCE,
    held,
)
from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.migration_rules import MigrationRule
from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.errors import KeysTooFarApart
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.options import DUPLICATES, NULLS, VALUES
from mwaa_migrator.postgres.catalog import NUMBERS, Column, Table
from mwaa_migrator.postgres.checksums import WITHOUT_ENCODING
from mwaa_migrator.postgres.session import fetch_all

#: A character of UTF-8 in hexadecimal digits (RFC 3629, section 4).
_TAIL = "[89ab][0-9a-f]"
_UTF8 = (
    f"([0-7][0-9a-f]|(c[2-9a-f]|d[0-9a-f]){_TAIL}|e0[ab][0-9a-f]{_TAIL}|e[1-9a-cef]({_TAIL}){{2}}|ed[89][0-9a-f]{_TAIL}|"
    f"f0[9ab][0-9a-f]({_TAIL}){{2}}|f[1-3]({_TAIL}){{3}}|f48[0-9a-f]({_TAIL}){{2}})"
)


#: Text that PostgreSQL casts to what Airflow's column holds. Of times those that it writes itself, so that nothing
#: depends on how a server reads others.
_AS_TEXT = {
    INTEGER: r"[+-]?[0-9]{1,18}",
    FRACTION: r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,2})?|NaN|[+-]?Infinity",
    TRUTH: "t|f|true|false|y|n|yes|no|on|off|1|0",
    TIME: (
        r"[0-9]{4,6}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)? ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
        r"( BC)?|-?infinity"
    ),
}


def column_rules(tables: Dict[str, Table], server_encoding: str, of_airflow_3: bool) -> List[MigrationRule]:
    """A rule for each column of ``tables`` that takes more than the target's does, and for each lost unique key.

    Airflow 3 has other columns, so of a source at 3.x only the import finds what does not fit (merge/unfit_rows.py).
    """
    rules = [] if of_airflow_3 else [rule for table in tables.values() for rule in _of_table(table, tables)]
    if server_encoding == WITHOUT_ENCODING:
        rules += [rule for table in tables.values() for rule in _of_encoding(table)]
    return rules


def _of_table(table: Table, tables: Dict[str, Table]) -> Iterator[MigrationRule]:
    numbered = {table.surrogate_key, *surrogate_references(table, tables)}
    for column in table.columns:
        most = MOST_CHARACTERS.get(table.name, {}).get(column.name)
        if most is not None and (column.most_characters or 0) > most:
            yield _rule(
                table, column, VALUES, f"length(t.{column.name}) > {most}",
                f"the target's column {column.name} takes {most:,} characters, and these have more",
                f"Shorten their {column.name}.",
                WITHOUT_LIMIT_SINCE.get((table.name, column.name)),
            )  # fmt: skip
        if table.name in MOST_CHARACTERS and column.name not in numbered:
            yield from _of_number(table, column)
        yield from _of_text(table, column, column.name in numbered)
        if column.name in NEVER_NULL.get(table.name, ()) and not column.not_null:
            yield _rule(
                table, column, NULLS, f"t.{column.name} is null",
                f"the target's column {column.name} takes no NULL", f"Give them a {column.name}.",
            )  # fmt: skip
    for key in UNIQUE.get(table.name, ()):
        if {"id", *key} <= set(table.column_names):
            yield _of_lost_key(table, key)
    if table.name in ALWAYS_TRUE and not any(constraint.kind == "c" for constraint in table.constraints):
        condition = ALWAYS_TRUE[table.name]
        yield _rule(
            table, table.columns[0], VALUES, f"not ({condition})",
            f"a constraint of the target's asks for {condition.replace('t.', '')}", "Correct them.",
        )  # fmt: skip


def require_key_space(cut: HistoryCut) -> None:
    """Raises KeysTooFarApart if a table's keys inside the cut are so far apart that an ``integer`` has no room."""
    source = cut.plan.source
    for table in cut.plan.tables.values():
        key = table.surrogate_key
        if key is None or table.name not in MOST_CHARACTERS or table.column(key).type != "bigint":
            continue
        query = sql.SQL("select min(t.{0}), max(t.{0}) from {1} t where {2}").format(
            sql.Identifier(key), source.table(table.name), cut.condition(table) or sql.SQL("true")
        )
        ((lowest, highest),) = fetch_all(source.connection, query)
        if lowest is not None and highest - lowest >= LARGEST_INTEGER:
            raise KeysTooFarApart(
                f"{table.name}.{key} runs from {lowest:,} to {highest:,}, and the target's column is an integer, which "
                f"has room for {LARGEST_INTEGER:,} numbers. Export fewer days of history with "
                f"options.historyDays (--days on the command line), or leave {table.name} out with "
                "options.excludeTables (--exclude-tables)."
            )


def _of_encoding(table: Table) -> Iterator[MigrationRule]:
    """Rules for text in a database that keeps any bytes; a client gets no others than UTF-8."""
    for column in table.columns:
        if column.most_characters is not None or column.type in ("json", "jsonb"):
            yield _rule(
                table, column, VALUES, f"encode(convert_to(t.{column.name}::text, 'SQL_ASCII'), 'hex') !~ '^{_UTF8}*$'",
                f"their {column.name} holds bytes that are not UTF-8 (the database's encoding is {WITHOUT_ENCODING})",
                "",
            )._replace(remedy=f"Correct their {column.name}.")  # fmt: skip


def _of_number(table: Table, column: Column) -> Iterator[MigrationRule]:
    """Rules for a column that holds other numbers than an ``integer`` does; one that it may be has none."""
    kind = column.type.split("(")[0]
    if kind not in NUMBERS or kind in ("integer", "smallint") or (table.name, column.name) in FRACTIONS:
        return
    yield _rule(
        table, column, VALUES, f"t.{column.name} not between {-LARGEST_INTEGER - 1} and {LARGEST_INTEGER}",
        f"the target's column {column.name} is an integer, and their number is beyond {LARGEST_INTEGER:,}",
        f"Correct their {column.name}.",
    )  # fmt: skip
    if kind != "bigint":
        yield _rule(
            table, column, VALUES, f"t.{column.name} <> trunc(t.{column.name})",
            f"the target's column {column.name} is an integer, and their number is none",
            f"Correct their {column.name}.",
        )  # fmt: skip


def _of_text(table: Table, column: Column, is_numbered: bool) -> Iterator[MigrationRule]:
    """A rule for text in a column that is none in Airflow's tables."""
    what = held(table.name, column.name)
    if what is None or column.most_characters is None:
        return
    value = f"t.{column.name}"
    reads = rf"{value}::text ~* '^\s*({_AS_TEXT[what]})\s*$'"
    if what == INTEGER:
        reads = f"case when {reads} then {value}::numeric between {-LARGEST_INTEGER - 1} and {LARGEST_INTEGER} end"
    if is_numbered:
        # Nothing renumbers text.
        reads = "false"
    yield _rule(
        table, column, VALUES, f"({value} is not null and ({reads}) is not true)",
        f"the target's column {column.name} is {what}, and theirs is text"
        + (" by which rows refer to each other" if is_numbered else " that is none"),
        f"Give the column Airflow's type again (ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE ... USING ...)"
        if is_numbered
        else f"Correct their {column.name}.",
    )  # fmt: skip


def _of_lost_key(table: Table, key: Tuple[str, ...]) -> MigrationRule:
    same = [f"o.{column} = t.{column}" for column in key]
    condition = " and ".join(["exists (select 1 from {table} o where true", *same, "o.id < t.id)"])
    names = ", ".join(key)
    return MigrationRule(
        None, "", DUPLICATES, table.name, (*key, "id"),
        condition, (*key, "id"),
        f"the unique constraint on {names} is missing, and the target has it",
        f"Rename or delete all but one of the same {names}.",
        unique=key,
    )  # fmt: skip


def _rule(
    table: Table, column: Column, kind: str, condition: str, reason: str, remedy: str, mended_in: str | None = None
) -> MigrationRule:
    return MigrationRule(
        None, "", kind, table.name, (column.name,), condition, identity_columns(table) or table.primary_key, reason,
        f"{remedy} The column was changed by hand.", mended_in=mended_in,
    )  # fmt: skip
