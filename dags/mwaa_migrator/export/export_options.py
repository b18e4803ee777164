"""What an export is told to take."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

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
