"""What a definition became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .draft import Connection, Variable
from .ledger import Level, Note, by_text
from .model import Definition
from .schedules import Plan

#: The beginning of a DAG whose definition leaves it to the activation. It is the same in every translation.
UNKNOWN_START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Translation:
    """What a definition became. `files` are by their path below the pipeline's folder."""

    definition: Definition
    dag_ids: tuple[str, ...]
    folder: str
    files: Mapping[str, str]
    notes: tuple[Note, ...]
    plans: tuple[Plan, ...]
    variables: tuple[Variable, ...]
    connections: tuple[Connection, ...]
    requirements: tuple[str, ...]

    @property
    def decisions(self) -> list[Note]:
        """What a person must decide."""
        return [note for note in self.notes if note.level is Level.DECIDE]

    @property
    def open_points(self) -> int:
        """How many different things a person must decide; one may be about several fields."""
        return len(by_text(self.decisions))

    @property
    def is_full(self) -> bool:
        """Whether nothing is left to decide."""
        return not self.decisions
