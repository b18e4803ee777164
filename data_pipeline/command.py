"""What `mwaa-migrator pipeline` does: reads, translates, writes, and tells what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import account, overview, reading
from .model import Definition
from .naming import Names
from .options import Options
from .problems import DefinitionRefused
from .translated import Translation
from .translation import translate


@dataclass(frozen=True)
class Outcome:
    """What became of one pipeline: a translation, or the problems for which there is none."""

    name: str
    translation: Translation | None
    refused: DefinitionRefused | None = None

    @property
    def sentence(self) -> str:
        """The outcome on one line."""
        if self.translation is None:
            count = len(self.refused.problems) if self.refused else 0
            return f"{self.name}: not translated, {count} {'problem' if count == 1 else 'problems'}"
        decisions = self.translation.open_points
        whole = "whole" if not decisions else f"{decisions} {'thing' if decisions == 1 else 'things'} to decide"
        return f"{self.name}: {', '.join(self.translation.dag_ids)}, {whole}"


def from_files(files: Sequence[Path], options: Options) -> list[Outcome]:
    """The outcomes for the definitions in some files; a file that has none is an outcome too."""
    return _outcomes(
        [
            (item.source, None, item) if isinstance(item, DefinitionRefused) else (item.name, item, None)
            for item in reading.read_each(files)
        ],
        options,
    )


def from_account(client: Any, ids: Sequence[str], options: Options) -> list[Outcome]:
    """The outcomes for some pipelines of the account, or for every active one where there are no ids.

    Raises:
        botocore.exceptions.ClientError: the service refuses.
    """
    found = account.by_id(client, ids) if ids else account.active(client)
    return _outcomes([(item.name, item.definition, item.refused) for item in found], options)


def write(outcomes: Sequence[Outcome], out: Path, style: str) -> None:
    """Writes each translation into a folder of its own; with several pipelines their requirements and an overview.

    `style` is the overview's style sheet.
    """
    for outcome in outcomes:
        if outcome.translation is not None:
            for name, content in outcome.translation.files.items():
                file = out / outcome.translation.folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content, encoding="utf-8")
    if len(outcomes) > 1:
        out.mkdir(parents=True, exist_ok=True)
        rows = [(outcome.name, outcome.translation, outcome.refused) for outcome in outcomes]
        (out / "index.html").write_text(overview.render(rows, style), encoding="utf-8")
        wanted = {line for item in outcomes if item.translation for line in item.translation.requirements}
        (out / "requirements.txt").write_text("".join(f"{line}\n" for line in sorted(wanted)), encoding="utf-8")


def _outcomes(
    found: Iterable[tuple[str, Definition | None, DefinitionRefused | None]], options: Options
) -> list[Outcome]:
    names = Names()
    outcomes = []
    for name, definition, refused in found:
        if definition is None:
            outcomes.append(Outcome(name, None, refused))
            continue
        try:
            outcomes.append(Outcome(name, translate(definition, options, names)))
        except DefinitionRefused as error:
            outcomes.append(Outcome(name, None, error))
    return outcomes
