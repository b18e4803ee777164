"""Check: what an export, and the import of its artifact, will meet in this source. It pauses and writes nothing."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import refuse_undecryptable
from mwaa_migrator.airflow_schema.primary_keys import require_primary_keys
from mwaa_migrator.errors import MigratorError, raised
from mwaa_migrator.export.column_rules import require_key_space
from mwaa_migrator.export.dag_list import read_dag_list
from mwaa_migrator.export.estimate import NAMED_SETTINGS, estimate
from mwaa_migrator.export.export_encrypted import find_undecryptable
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.history_cut import HistoryCut, read_cut
from mwaa_migrator.export.plan import plan_export
from mwaa_migrator.export.refusal import RefusedRows
from mwaa_migrator.export.refused_rows import (
    find_refused_rows,
    is_set_aside,
    rules_to_come,
    to_set_aside,
)
from mwaa_migrator.export.rows_to_change import find_rows_to_change
from mwaa_migrator.export.unfinished import unfinished
from mwaa_migrator.postgres.catalog import Constraint, Table
from mwaa_migrator.postgres.foreign_keys import can_be_cleared, without_parent
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.configuration import fernet
from mwaa_migrator.this_airflow.database import MetadataDatabase, metadata_database
from mwaa_migrator.wording import counted


class _Examined(NamedTuple):
    """``refused`` are rows that the migrations on the way do not take, ``later`` those that only Airflow 3's do not."""

    cut: HistoryCut
    refused: List[RefusedRows]
    later: List[RefusedRows]
    undecryptable: List[str]
    problems: List[MigratorError]


def require_exportable(source: MetadataDatabase, options: ExportOptions) -> None:
    """Raises the first reason for which an export with these options would be refused."""
    problems = _examine(source, options, with_later=False).problems
    source.connection.rollback()
    if problems:
        raise problems[0]


def check_source(options: ExportOptions, progress: Progress) -> Dict[str, Any]:
    """``ready``: whether the export would begin; ``problems``: if not, why: ``[{"name", "message"}]``.

    The other fields are described by docs/architecture.md. Raises what ``plan_export`` and ``read_cut`` raise, and what
    connecting does.
    """
    with metadata_database() as source, progress.phase("check"):
        execute(source.connection, "begin isolation level repeatable read read only")
        examined = _examine(source, options, with_later=True)
        plan, cut = examined.cut.plan, examined.cut
        tables = {name: _size(cut, table) for name, table in plan.tables.items()}
        aside = [rows for rows in examined.refused if is_set_aside(rows.rule, options.set_aside)]
        will_change = find_rows_to_change(cut, options.target_version)
        result: Dict[str, Any] = {
            "airflow_version": source.airflow_version,
            "revision": source.revision,
            "schema": source.schema,
            "source": fetch_value(source.connection, "select current_database()"),
            "server_version": source.connection.server_version,
            "target_version": options.target_version,
            "tables": tables,
            "not_exported": plan.not_exported,
            "columns_left_out": plan.columns_left_out,
            "indexes_left_out": plan.indexes_left_out,
            "constraints_left_out": plan.constraints_left_out,
            "refused": [rows.as_json() for rows in examined.refused if rows not in aside],
            "set_aside": [rows.as_json() for rows in aside],
            "refused_by_airflow_3": [rows.as_json() for rows in examined.later],
            "will_change": [rows.as_json() for rows in will_change.rows],
            "not_examined": will_change.unread,
            "without_parent": _orphans(cut),
            "undecryptable": examined.undecryptable,
            "dag_list": read_dag_list(plan),
            "settings": {table: _names(cut, table, column) for table, column in NAMED_SETTINGS.items()},
            "unfinished": {name: rows for name, rows in unfinished(cut).items() if name != "listed"},
            "estimate": estimate(tables),
            "problems": [{"name": problem.name, "message": str(problem)} for problem in examined.problems],
            "ready": not examined.problems,
        }
        source.connection.rollback()
    return result


def _examine(source: MetadataDatabase, options: ExportOptions, with_later: bool) -> _Examined:
    plan = plan_export(source, options)
    cut = read_cut(plan, options)
    rules = rules_to_come(plan, options)
    refused = find_refused_rows(source, rules.on_the_way, cut)
    later = find_refused_rows(source, rules.later, cut) if with_later else []
    undecryptable = find_undecryptable(cut, fernet())
    problems = [
        raised(lambda: require_primary_keys(source.schema, plan.tables.values())),
        raised(lambda: require_key_space(cut)),
        raised(lambda: to_set_aside(refused, options.set_aside)),
        raised(lambda: refuse_undecryptable([] if options.skip_undecryptable else undecryptable)),
    ]
    return _Examined(cut, refused, later, undecryptable, [problem for problem in problems if problem is not None])


def _size(cut: HistoryCut, table: Table) -> Dict[str, int]:
    """The rows inside the cut, and their share of the table's bytes with its indexes."""
    source = cut.plan.source
    name = source.table(table.name)
    query = sql.SQL(
        "select count(*), count(*) filter (where {}), pg_total_relation_size({}::regclass) from {} t"
    ).format(cut.condition(table) or sql.SQL("true"), sql.Literal(name.as_string(source.connection)), name)
    ((all_rows, rows, size),) = fetch_all(source.connection, query)
    return {"rows": int(rows), "bytes": int(size) * int(rows) // max(1, int(all_rows))}


def _names(cut: HistoryCut, table: str, column: str) -> List[str]:
    """The names in a table of settings, in their order; none where it is not exported."""
    if table not in cut.plan.tables:
        return []
    source = cut.plan.source
    query = sql.SQL("select distinct {0} from {1} where {0} is not null order by 1")
    rows = fetch_all(source.connection, query.format(sql.Identifier(column), source.table(table)))
    return [name for (name,) in rows]


def _orphans(cut: HistoryCut) -> List[str]:
    """A line for each foreign key of the source's that rows break, and what the import does with them."""
    tables = cut.plan.tables
    lines: List[str] = []
    for table, key, parent in _references(tables):
        count = sql.SQL("select count(*) from {} t where {}").format(
            cut.plan.source.table(table.name), without_parent(cut.plan.source.schema, key)
        )
        rows = fetch_value(cut.plan.source.connection, count)
        if rows:
            done = f"{key.columns[0]} is cleared" if can_be_cleared(table, key, parent) else "set aside"
            lines.append(f"{counted(rows, 'row')} of {table.name} whose {parent.name} is missing: {done}")
    return lines


def _references(tables: Dict[str, Table]) -> List[Tuple[Table, Constraint, Table]]:
    return [
        (table, key, tables[str(key.parent)])
        for table in tables.values()
        for key in table.foreign_keys
        if key.parent in tables
    ]
