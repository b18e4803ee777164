"""Which rows the target's columns do not take, because somebody has changed the source's: rules like the migrations'.

A source as Airflow makes it has none, and none of its rows is read.
"""

from __future__ import annotations

from typing import Dict, Iterator, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.column_limits import (
    ALWAYS_TRUE,
    LARGEST_INTEGER,
    MOST_CHARACTERS,
    NEVER_NULL,
    WITHOUT_LIMIT_SINCE,
)
from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.migration_rules import MigrationRule
from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.errors import KeySpaceExhausted
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.options import NULLS, VALUES
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.session import fetch_all


def column_rules(tables: Dict[str, Table]) -> List[MigrationRule]:
    """A rule for each column of ``tables`` that takes more than the target's does."""
    return [rule for table in tables.values() for rule in _of_table(table, tables)]


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
        if table.name in MOST_CHARACTERS and column.type == "bigint" and column.name not in numbered:
            yield _rule(
                table, column, VALUES, f"t.{column.name} not between {-LARGEST_INTEGER - 1} and {LARGEST_INTEGER}",
                f"the target's column {column.name} is an integer, and their number is beyond {LARGEST_INTEGER:,}",
                f"Correct their {column.name}.",
            )  # fmt: skip
        if column.name in NEVER_NULL.get(table.name, ()) and not column.not_null:
            yield _rule(
                table, column, NULLS, f"t.{column.name} is null",
                f"the target's column {column.name} takes no NULL", f"Give them a {column.name}.",
            )  # fmt: skip
    if table.name in ALWAYS_TRUE and not any(constraint.kind == "c" for constraint in table.constraints):
        condition = ALWAYS_TRUE[table.name]
        yield _rule(
            table, table.columns[0], VALUES, f"not ({condition})",
            f"a constraint of the target's asks for {condition.replace('t.', '')}", "Correct them.",
        )  # fmt: skip


def require_key_space(cut: HistoryCut) -> None:
    """Raises KeySpaceExhausted if a table's keys inside the cut are so far apart that an ``integer`` has no room."""
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
            raise KeySpaceExhausted(
                f"{table.name}.{key} runs from {lowest:,} to {highest:,}, and the target's column is an integer, which "
                f"has room for {LARGEST_INTEGER:,} numbers. Export fewer days of history with "
                f"options.historyDays (--days on the command line), or leave {table.name} out with "
                "options.excludeTables (--exclude-tables)."
            )


def _rule(
    table: Table, column: Column, kind: str, condition: str, reason: str, remedy: str, mended_in: str | None = None
) -> MigrationRule:
    return MigrationRule(
        None, "", kind, table.name, (column.name,), condition, identity_columns(table) or table.primary_key, reason,
        f"{remedy} The column was changed by hand.", mended_in=mended_in,
    )  # fmt: skip
