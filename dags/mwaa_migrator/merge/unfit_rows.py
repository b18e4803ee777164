"""Which rows the target's tables will not take: looked for before the merge, to name them instead of its first error.

An export finds what Airflow's own columns do not take. This finds what somebody has made narrower in the target, too.
It reads only tables whose columns or constraints differ.
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.errors import RowsDoNotFit
from mwaa_migrator.merge.translation import Translation
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.wording import counted, listed

_SMALLER = {("bigint", "integer"): 2**31, ("bigint", "smallint"): 2**15, ("integer", "smallint"): 2**15}


class _Limit(NamedTuple):
    """``broken`` is the condition on alias ``t``, a row in the scratch schema."""

    broken: sql.Composable
    reason: str


def require_fit(upgraded: UpgradedArtifact, translation: Translation) -> None:
    """Raises RowsDoNotFit with the rows that the target's tables do not take."""
    problems: List[str] = []
    for table in upgraded.tables.values():
        if upgraded.rows[table.name]:
            for limit in _limits(upgraded, table, translation):
                problems += _problem(upgraded, table, limit)
    if problems:
        raise RowsDoNotFit(
            "{}. Nothing was merged. Change the target's tables, mend the rows in the source and export again, or "
            "leave their table out with options.excludeTables (--exclude-tables on the command line).".format(
                "; ".join(problems)
            )
        )


def _limits(upgraded: UpgradedArtifact, table: Table, translation: Translation) -> Iterator[_Limit]:
    found = upgraded.scratch_tables[table.name]
    renumbered = {table.surrogate_key, *surrogate_references(table, upgraded.target_tables)}
    for column in table.columns:
        if column.name not in renumbered and not translation.gives(table, column):
            yield from _limits_of(found.column(column.name), column)
    checks = {constraint.definition for constraint in found.constraints if constraint.kind == "c"}
    for constraint in table.constraints:
        if constraint.kind == "c" and constraint.definition not in checks:
            condition = re.sub(r"^CHECK |( NO INHERIT)?( NOT VALID)?$", "", constraint.definition)
            yield _Limit(
                sql.SQL("{} is false").format(sql.SQL(condition)), f"the target asks for {constraint.definition}"
            )


def _limits_of(source: Column, target: Column) -> Iterator[_Limit]:
    value = identifiers.column("t", target.name)
    most = target.most_characters
    if most is not None and (source.most_characters or 0) > most:
        yield _Limit(
            sql.SQL("length({}) > {}").format(value, sql.Literal(most)),
            f"the target's column {target.name} takes {most:,} characters",
        )
    end = _SMALLER.get((source.type, target.type))
    if end is not None:
        yield _Limit(
            sql.SQL("{} not between {} and {}").format(value, sql.Literal(-end), sql.Literal(end - 1)),
            f"the target's column {target.name} is of type {target.type}",
        )
    if target.not_null and not source.not_null:
        yield _Limit(sql.SQL("{} is null").format(value), f"the target's column {target.name} takes no NULL")


def _problem(upgraded: UpgradedArtifact, table: Table, limit: _Limit) -> List[str]:
    names = identity_columns(table) or table.primary_key or table.column_names[:3]
    query = sql.SQL("select count(*) over (), {} from {} t where {} order by 2 limit {}").format(
        row_name(names), upgraded.scratch.table(table.name), limit.broken, sql.Literal(EXAMPLES)
    )
    found = fetch_all(upgraded.connection, query)
    if not found:
        return []
    rows, examples = found[0][0], [name for _, name in found]
    return [f"{counted(rows, 'row')} of {table.name} ({listed(examples, rows)}): {limit.reason}"]
