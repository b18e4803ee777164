"""A pipeline and its DAG side by side: what they left in Amazon S3, and what became of their runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_pipeline.comparison import places, runs
from data_pipeline.comparison.places import Content, PlaceComparison
from data_pipeline.comparison.runs import Run

_GOOD, _BAD = "green", "bold red"


def show(s3: Any, data_pipeline: Any, pairs: Sequence[tuple[str, str]], pipeline_id: str, file: Path | None) -> bool:
    """Prints both comparisons. Whether the places hold the same rows and the runs ended alike.

    Raises:
        data_pipeline.comparison.places.NotAPlace: a place is no S3 URI.
        data_pipeline.comparison.runs.NotRuns: the file has no list of runs.
        botocore.exceptions.ClientError: AWS refuses.
    """
    console = Console()
    are_alike = True
    if file is not None:
        of_airflow = runs.of_airflow(file.read_text(encoding="utf-8"))
        found = runs.compare(runs.instances(data_pipeline, pipeline_id), of_airflow)
        _print_runs(console, found)
        are_alike = bool(found) and all(run.is_same for run in found)
    for old, new in pairs:
        comparison = places.compare(s3, old, new)
        _print_place(console, comparison)
        are_alike = are_alike and comparison.has_same_rows
    return are_alike


def _print_runs(console: Console, found: Sequence[Run]) -> None:
    table = _table("Runs", "scheduled start", "Data Pipeline", "Airflow", "")
    for run in found:
        verdict = Text("same", _GOOD) if run.is_same else Text("different", _BAD)
        table.add_row(f"{run.start:%Y-%m-%d %H:%M}", run.old or "none", run.new or "none", verdict)
    console.print(table, Text(), sep="\n")


def _print_place(console: Console, found: PlaceComparison) -> None:
    table = _table(f"{found.old} and {found.new}", "object", "old", "new", "")
    for key in found.keys:
        verdict = found.verdict(key)
        style = _GOOD if verdict.startswith("same") else _BAD
        old, new = found.old_objects.get(key), found.new_objects.get(key)
        table.add_row(Text(key), _content(old), _content(new), Text(verdict, style))
    console.print(table)
    old_rows, new_rows = places.rows(found.old_objects.values()), places.rows(found.new_objects.values())
    result = Text("the same rows", _GOOD) if found.has_same_rows else Text("not the same rows", _BAD)
    console.print(Text(f"{old_rows:,} and {new_rows:,} rows: ").append_text(result), Text(), sep="\n")


def _content(content: Content | None) -> str:
    return f"{content.rows:,} rows, {content.size:,} bytes, {content.etag[:8]}" if content else "none"


def _table(title: str, *names: str) -> Table:
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, header_style="dim", overflow="fold")
    return table
