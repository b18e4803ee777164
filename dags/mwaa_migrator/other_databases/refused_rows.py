"""Rows that PostgreSQL or Airflow's own migrations will not take: counted, named, and refused or set aside.

Three kinds: rows that break a rule of ``airflow_schema/migration_rules.py``; rows that are equal in a unique key of
PostgreSQL's that this database does not keep; and rows with a value that PostgreSQL's column does not take, which only
the reading of the rows finds (``row_lines.py``).
"""

from __future__ import annotations

from typing import Iterator, List, Sequence, Tuple

from mwaa_migrator.airflow_schema.migration_rules import RULES, MigrationRule
from mwaa_migrator.errors import MigrationWouldFail
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.options import DUPLICATES, VALUES
from mwaa_migrator.other_databases.row_cut import RowCut
from mwaa_migrator.other_databases.row_lines import EXAMPLES, TableRows
from mwaa_migrator.other_databases.source import Source, as_text, column_of, name
from mwaa_migrator.other_databases.source_plan import SourcePlan
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.this_airflow.migrations import applied_revisions
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple


def find_refused_rows(cut: RowCut, options: ExportOptions) -> Tuple[List[RefusedRows], List[RefusedRows]]:
    """Those that the way to the target's release meets, and those that only an upgrade to Airflow 3 would."""
    on_the_way, later = _rules(cut.plan, options)
    on_the_way += [rule for table in cut.plan.tables.values() for rule in _lost_unique_keys(cut.plan, table)]
    return [*_find(cut, on_the_way)], [*_find(cut, later)]


def _rules(plan: SourcePlan, options: ExportOptions) -> Tuple[List[MigrationRule], List[MigrationRule]]:
    """Without the rules for values that an import mends: these are written in PostgreSQL's own SQL."""
    applied = applied_revisions(plan.source.revision)
    release = version_tuple(options.target_version or "2.99")
    to_come = [rule for rule in RULES if rule.revision not in applied and not rule.is_mended]
    return (
        [rule for rule in to_come if version_tuple(rule.release) <= release],
        [rule for rule in to_come if release < AIRFLOW_3 <= version_tuple(rule.release)],
    )


def _lost_unique_keys(plan: SourcePlan, table: Table) -> Iterator[MigrationRule]:
    kept = [set(key) for key in plan.source.unique_keys(table.name)]
    for key in table.unique_keys:
        if any(columns <= set(key) for columns in kept):
            continue
        same = " and ".join(f"{column_of('o', column)} = {column_of('t', column)}" for column in key)
        first = plan.source.row_key(table.name, table.primary_key)[0]
        other = first.replace("t.", "o.", 1)
        yield MigrationRule(
            None, "", DUPLICATES, table.name, tuple(key),
            f"exists (select 1 from {{table}} o where {same} and {other} < {first})",  # nosec B608
            tuple(key),
            f"PostgreSQL keeps {', '.join(key)} unique, and this database does not",
            "Delete all but one of the rows that are equal there.",
        )  # fmt: skip


def _find(cut: RowCut, rules: Sequence[MigrationRule]) -> Iterator[RefusedRows]:
    seen = set()
    for rule in rules:
        table = cut.plan.tables.get(rule.table)
        if table is None or set(rule.needs) - set(table.column_names):
            continue
        if rule.unique and any(set(key) <= set(rule.unique) for key in cut.plan.source.unique_keys(table.name)):
            continue
        condition = condition_of(rule, cut.plan.source)
        if (rule.table, condition) in seen:
            continue
        seen.add((rule.table, condition))
        inside = cut.condition(table)
        where = condition if inside is None else f"{condition} and {inside}"
        rows = int(cut.plan.source.value(f"select count(*) from {name(table.name)} t where {where}"))  # nosec B608
        if rows:
            columns = ", ".join(column_of("t", column) for column in rule.names if column in table.column_names)
            query = f"select {columns} from {name(table.name)} t where {where} limit {EXAMPLES}"  # nosec B608
            examples = [" ".join(as_text(value) or "" for value in row)[:120] for row in cut.plan.source.query(query)]
            yield RefusedRows(rule, rows, examples)


def condition_of(rule: MigrationRule, source: Source) -> str:
    """What holds for a row with the alias ``t`` that breaks the rule, in the source's SQL."""
    return rule.condition.replace("{table}", name(rule.table)).replace("length(", f"{source.characters}(")


def unfit_rows(cut: RowCut, table: Table, found: TableRows) -> List[RefusedRows]:
    """What the reading of a table has found: an entry for each column."""
    return [
        RefusedRows(
            MigrationRule(
                None, "", VALUES, table.name, (column,), "", table.primary_key,
                f"{column} is no {table.column(column).type} of PostgreSQL's there",
                f"Mend {table.name}.{column} in these rows, or delete them.",
            ),
            rows,
            found.examples[column],
        )
        for column, rows in found.unfit.items()
    ]  # fmt: skip


def stays_behind(rows: RefusedRows, options: ExportOptions) -> bool:
    return rows.rule.always_aside or rows.rule.kind in options.set_aside


def require_set_aside(found: Sequence[RefusedRows], options: ExportOptions) -> None:
    """Raises MigrationWouldFail unless all of these rows may stay behind."""
    refused = [rows for rows in found if not stays_behind(rows, options)]
    if refused:
        kinds = ",".join(sorted({rows.rule.kind for rows in refused}))
        raise MigrationWouldFail(
            "{}. {} Or leave them behind with --set-aside {}.".format(
                "; ".join(rows.line for rows in refused),
                " ".join(sorted({rows.rule.remedy for rows in refused})),
                kinds,
            )
        )
