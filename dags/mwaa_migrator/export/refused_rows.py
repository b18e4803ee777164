"""Which of the source's rows Airflow's migrations will not take: counted, named, and refused or set aside.

Rows that the import's own migrations (2.x) do not take are looked for before anything is copied, and so are those that
Airflow 3 would not take, if the export knows that it goes there. If not, they are looked for while rows are copied,
and only named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, NamedTuple, Sequence, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.migration_rules import RULES, MigrationRule
from mwaa_migrator.errors import MigrationWouldFail
from mwaa_migrator.export.column_rules import column_rules
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.export.plan import ExportPlan
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.row_names import EXAMPLES, row_name
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.this_airflow.database import MetadataDatabase
from mwaa_migrator.this_airflow.migrations import applied_revisions
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple


class RulesToCome(NamedTuple):
    """Rules for migrations that the source has still to go through: on its way, and only if it goes on to Airflow 3."""

    on_the_way: Sequence[MigrationRule]
    later: Sequence[MigrationRule]


def rules_to_come(plan: ExportPlan, options: ExportOptions) -> RulesToCome:
    """The rules for the plan's source on its way to ``target_version``; None: to any 2.x."""
    applied = applied_revisions(plan.source.revision)
    release = version_tuple(options.target_version) if options.target_version else None
    on_the_way: List[MigrationRule] = []
    later: List[MigrationRule] = []
    for rule in RULES:
        if rule.revision in applied and not rule.unique:
            continue
        if release is None:
            if version_tuple(rule.release) < AIRFLOW_3:
                on_the_way.append(rule)
            elif rule.mended_in is None and not rule.costly:
                later.append(rule)
        elif version_tuple(rule.release) <= release and not _is_mended(rule, release) and not rule.is_mended:
            on_the_way.append(rule)
    encoding = plan.source.connection.get_parameter_status("server_encoding")
    of_airflow_3 = version_tuple(plan.source.airflow_version) >= AIRFLOW_3
    changed_columns = column_rules(plan.tables, encoding, of_airflow_3)
    on_the_way += [rule for rule in changed_columns if release is None or not _is_mended(rule, release)]
    return RulesToCome(on_the_way, later)


def _is_mended(rule: MigrationRule, release: Tuple[int, ...]) -> bool:
    return rule.mended_in is not None and version_tuple(rule.mended_in) <= release


def by_table(rules: Sequence[MigrationRule], tables: Dict[str, Table]) -> Dict[str, List[MigrationRule]]:
    """The rules that have something to read in ``tables``; of two with the same condition the first."""
    found: Dict[str, List[MigrationRule]] = {}
    for rule in rules:
        if rule.table not in tables or set(rule.needs) - set(tables[rule.table].column_names):
            continue
        if rule.unique in tables[rule.table].unique_keys:
            continue
        of_table = found.setdefault(rule.table, [])
        if rule.condition not in [other.condition for other in of_table]:
            of_table.append(rule)
    return found


def breaks(source: MetadataDatabase, rule: MigrationRule) -> sql.Composable:
    """The rule's condition on alias ``t``."""
    table = source.table(rule.table).as_string(source.connection)
    return sql.SQL("({})").format(sql.SQL(rule.condition.replace("{table}", table)))


def counts_query(
    source: MetadataDatabase, rules: Sequence[MigrationRule], condition: sql.Composable | None
) -> sql.Composed:
    """A query for one row: how many rows of a table break each of the table's rules, in one pass."""
    counts = [sql.SQL("count(*) filter (where {})").format(breaks(source, rule)) for rule in rules]
    hints = sql.SQL(" or ").join([sql.SQL("({})").format(sql.SQL(hint)) for hint in sorted({r.hint for r in rules})])
    return sql.SQL("select {} from {} t where ({}){}").format(
        sql.SQL(", ").join(counts),
        source.table(rules[0].table),
        hints,
        sql.SQL("") if condition is None else sql.SQL(" and {}").format(condition),
    )


def find_refused_rows(source: MetadataDatabase, rules: Sequence[MigrationRule], cut: HistoryCut) -> List[RefusedRows]:
    """What is refused of the rows that are inside the cut."""
    tables = cut.plan.tables
    found: List[RefusedRows] = []
    for name, of_table in by_table(rules, tables).items():
        condition = cut.condition(tables[name])
        (counts,) = fetch_all(source.connection, counts_query(source, of_table, condition))
        found += name_refused_rows(source, tables[name], of_table, counts, condition)
    return found


def name_refused_rows(
    source: MetadataDatabase,
    table: Table,
    rules: Sequence[MigrationRule],
    counts: Sequence[int],
    condition: sql.Composable | None,
) -> List[RefusedRows]:
    """The rows that ``counts_query`` has counted."""
    found: List[RefusedRows] = []
    for rule, rows in zip(rules, counts):
        if not rows:
            continue
        names = [name for name in rule.names if name in table.column_names]
        query = sql.SQL("select {} from {} t where {}{} order by 1 limit {}").format(
            row_name(names, source.connection.get_parameter_status("server_encoding")),
            source.table(table.name),
            breaks(source, rule),
            sql.SQL("") if condition is None else sql.SQL(" and {}").format(condition),
            sql.Literal(EXAMPLES),
        )
        examples = tuple(str(name) for (name,) in fetch_all(source.connection, query))
        found.append(RefusedRows(rule, int(rows), examples))
    return found


def is_set_aside(rule: MigrationRule, kinds: Sequence[str]) -> bool:
    """Whether rows that break the rule are left out of the artifact, and not refused."""
    return rule.always_aside or rule.kind in kinds


def to_set_aside(found: Sequence[RefusedRows], kinds: Sequence[str]) -> List[RefusedRows]:
    """Those that are left out of the artifact; raises MigrationWouldFail if there are others."""
    aside = [rows for rows in found if is_set_aside(rows.rule, kinds)]
    refused = [rows for rows in found if rows not in aside]
    if refused:
        wanted = sorted({rows.rule.kind for rows in refused} | set(kinds))
        raise MigrationWouldFail(
            "{} Or leave them out with options.setAside (on the command line --set-aside {}).".format(
                " ".join(f"{rows.line}. {rows.rule.remedy}" for rows in refused), ",".join(wanted)
            )
        )
    return aside


def split_for_delta(
    rules: Sequence[MigrationRule], kinds: Sequence[str]
) -> Tuple[List[MigrationRule], List[MigrationRule]]:
    """The rules for which a delta looks at all rows, and those for which it the changed ones suffice.

    Rows that are set aside have no part in the sums, and a row can come to break a rule because another one changes.
    """
    everywhere = [rule for rule in rules if is_set_aside(rule, kinds) or "{table}" in rule.condition]
    return everywhere, [rule for rule in rules if rule not in everywhere]


def without_refused_rows(
    cut: HistoryCut, rules: Sequence[MigrationRule], options: ExportOptions
) -> Tuple[HistoryCut, List[RefusedRows]]:
    """The cut without the rows that are set aside, and those rows; raises MigrationWouldFail if others are refused."""
    source, tables = cut.plan.source, cut.plan.tables
    found = find_refused_rows(source, rules, cut)
    set_aside = to_set_aside(found, options.set_aside)
    conditions = {
        name: sql.SQL("({})").format(
            sql.SQL(" or ").join([breaks(source, rows.rule) for rows in set_aside if rows.rule.table == name])
        )
        for name in tables
        if any(rows.rule.table == name for rows in set_aside)
    }
    return replace(cut, set_aside=conditions), set_aside
