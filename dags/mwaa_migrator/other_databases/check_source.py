"""Check of a metadata database that is not PostgreSQL: its fields are those of ``export/source_check.py``.

It reads every row once, as the export does, because only that finds a value that PostgreSQL does not take.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List

from mwaa_migrator.airflow_schema.encryption import refuse_undecryptable
from mwaa_migrator.errors import raised
from mwaa_migrator.export.estimate import NAMED_SETTINGS, estimate
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.other_databases.dag_list import read_dag_list, unfinished
from mwaa_migrator.other_databases.export_rows import read_tables
from mwaa_migrator.other_databases.export_source import find_rows
from mwaa_migrator.other_databases.open_source import open_source
from mwaa_migrator.other_databases.refused_rows import require_set_aside, stays_behind
from mwaa_migrator.other_databases.row_cut import RowCut
from mwaa_migrator.other_databases.source import as_text, column_of, name
from mwaa_migrator.other_databases.source_plan import SourcePlan, plan_export
from mwaa_migrator.progress import Progress

_NOT_EXAMINED = (
    "XComs, confs and values that Airflow 3's migrations would change are looked for in PostgreSQL sources only; the "
    "import mends or names them.",
)


def check_source(options: ExportOptions, progress: Progress) -> Dict[str, Any]:
    """Raises what ``open_source``, ``plan_export`` and ``read_cut`` raise."""
    with open_source() as source, progress.phase("check"):
        plan = plan_export(source, options)
        found = find_rows(plan, options)
        read = read_tables(found.cut, None, progress, "check")
        refused = [*found.refused, *read.unfit]
        tables = {table: {"rows": entry["rows"], "bytes": entry["bytes"]} for table, entry in read.entries.items()}
        undecryptable = [] if options.skip_undecryptable else read.undecryptable
        problems = [
            problem
            for problem in (
                raised(lambda: require_set_aside(refused, options)),
                raised(lambda: refuse_undecryptable(undecryptable)),
            )
            if problem is not None
        ]
        return {
            "airflow_version": source.airflow_version,
            "revision": source.revision,
            "schema": source.product,
            "source": source.database,
            "server_version": source.product,
            "target_version": options.target_version,
            "tables": tables,
            "not_exported": plan.not_exported,
            "columns_left_out": plan.columns_left_out,
            "indexes_left_out": [],
            "constraints_left_out": [],
            "refused": [rows.as_json() for rows in refused if not stays_behind(rows, options)],
            "set_aside": [rows.as_json() for rows in refused if stays_behind(rows, options)],
            "refused_by_airflow_3": [rows.as_json() for rows in found.later],
            "will_change": [],
            "not_examined": list(_NOT_EXAMINED),
            "without_parent": list(_orphans(found.cut)),
            "undecryptable": read.undecryptable,
            "dag_list": read_dag_list(plan),
            "settings": {table: _names(plan, table, column) for table, column in NAMED_SETTINGS.items()},
            "unfinished": {one: rows for one, rows in unfinished(found.cut).items() if one != "listed"},
            "estimate": estimate(tables),
            "problems": [{"name": problem.name, "message": str(problem)} for problem in problems],
            "ready": not problems,
        }


def _names(plan: SourcePlan, table: str, column: str) -> List[str]:
    if table not in plan.tables:
        return []
    of = name(column)
    rows = plan.source.query(f"select distinct {of} from {name(table)} where {of} is not null")  # nosec B608
    return sorted(str(as_text(value)) for (value,) in rows)


def _orphans(cut: RowCut) -> Iterator[str]:
    """A line for each foreign key of PostgreSQL's that rows break: parents whose names a collation made equal, say."""
    source, tables = cut.plan.source, cut.plan.tables
    for table in tables.values():
        for key in table.foreign_keys:
            if key.parent not in tables:
                continue
            columns = [column_of("t", column) for column in key.columns]
            pairs = list(zip([column_of("p", column) for column in key.parent_columns], columns))
            # The first condition is for an index, the second for what a collation makes equal.
            same = " and ".join(
                f"{one} = {two} and {source.exactly(one)} = {source.exactly(two)}" for one, two in pairs
            )
            filled = " and ".join(f"{column} is not null" for column in columns)
            rows = source.value(
                f"select count(*) from {name(table.name)} t where {filled} "  # nosec B608
                f"and not exists (select 1 from {name(str(key.parent))} p where {same})"
            )
            if rows:
                noun = "row" if rows == 1 else "rows"
                broken = f"{rows:,} {noun} of {table.name} whose {key.parent} is missing"
                yield f"{broken}: cleared or set aside by the import"
