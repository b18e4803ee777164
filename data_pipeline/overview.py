"""The overview of several pipelines: one HTML page that needs no network, in the style of the migration's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from . import timetables
from .airflow_names import AirflowNames
from .problems import DefinitionRefused
from .translated import UNKNOWN_START, Translation

#: The levels of the report's style.
_WHOLE, _PARTLY, _NOT = "pass", "warn", "fail"


@dataclass(frozen=True)
class _Row:
    """A pipeline on the page; `points` are what is to decide, or the problems, each with its place."""

    name: str
    level: str
    folder: str
    dags: str
    runs: str
    points: tuple[tuple[str, str], ...]


def render(outcomes: Sequence[tuple[str, Translation | None, DefinitionRefused | None]], style: str) -> str:
    """The page for some pipelines: their names, with a translation or the problems for which there is none.

    `style` is the style sheet of the migration's report.
    """
    rows = [_row(name, translation, refused) for name, translation, refused in outcomes]
    counts = {level: sum(row.level == level for row in rows) for level in (_WHOLE, _PARTLY, _NOT)}
    verdict = _NOT if counts[_NOT] else _PARTLY if counts[_PARTLY] else _WHOLE
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("overview.html").render(
        rows=rows, style=style, counts=counts, verdict=verdict, headline=_headline(counts, len(rows))
    )


def _row(name: str, translation: Translation | None, refused: DefinitionRefused | None) -> _Row:
    if translation is None:
        problems = refused.problems if refused else ()
        points = tuple((".".join(part for part in problem[:2] if part), problem.message) for problem in problems)
        return _Row(name, _NOT, "", "", "", points)
    points = tuple(
        (".".join(part for part in (note.object_id, note.field) if part), note.text) for note in translation.decisions
    )
    runs = "; ".join(
        timetables.timetable(plan, plan.start or UNKNOWN_START, AirflowNames((3,))).words for plan in translation.plans
    )
    level = _WHOLE if translation.is_full else _PARTLY
    return _Row(name, level, translation.folder, ", ".join(translation.dag_ids), runs, points)


def _headline(counts: dict[str, int], total: int) -> str:
    if counts[_WHOLE] == total:
        return f"All {total} pipelines translate whole"
    parts = [f"{counts[_WHOLE]} of {total} pipelines {'translates' if counts[_WHOLE] == 1 else 'translate'} whole"]
    if counts[_PARTLY]:
        parts.append(f"{counts[_PARTLY]} with something to decide")
    if counts[_NOT]:
        parts.append(f"{counts[_NOT]} not")
    return ", ".join(parts)
