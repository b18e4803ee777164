"""What an export is told to take."""

from __future__ import annotations

from typing import Any, Container, List, Mapping, NamedTuple, Sequence

from mwaa_migrator.airflow_schema.tables import REVISION_TABLE
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.options import default_processes


class ExportOptions(NamedTuple):
    """
    ``days`` and ``dags`` cut history; ``tables`` (None: all) and ``exclude_tables`` choose among the tables.
    ``set_aside`` are the kinds of rows to leave out that the migrations on the way to ``target_version`` do not take.
    """

    days: int | None
    dags: str
    tables: Sequence[str] | None
    exclude_tables: Sequence[str]
    processes: int
    skip_undecryptable: bool
    set_aside: Sequence[str]
    target_version: str | None


def export_options(values: Mapping[str, Any]) -> ExportOptions:
    """From the values of ``options.EXPORT_OPTIONS``."""
    return ExportOptions(
        values["historyDays"],
        values["dags"],
        values["tables"],
        values["excludeTables"] + ([] if values["xcoms"] else ["xcom"]),
        values["jobs"] or default_processes(),
        values["skipUndecryptable"],
        values["setAside"],
        values["targetVersion"],
    )


def require_possible_choice(options: ExportOptions, tables: Container[str], not_exported: Mapping[str, str]) -> None:
    """Raises InvalidArguments if the options name tables that are not there, or that no export takes."""
    named = [*(options.tables or ()), *options.exclude_tables]
    problems: List[str] = [f"there is no table '{name}'" for name in named if name not in tables]
    if REVISION_TABLE in options.exclude_tables:
        problems.append(f"'{REVISION_TABLE}' cannot be left out: the import starts from it")
    problems += [
        f"'{name}' cannot be exported: {not_exported[name]}" for name in options.tables or () if name in not_exported
    ]
    if problems:
        raise InvalidArguments("{}. Correct --tables or --exclude-tables.".format("; ".join(problems)))
