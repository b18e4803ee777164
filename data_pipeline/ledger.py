"""What became of each field of a definition, kept while it is translated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .model import PipelineObject


class Level(Enum):
    """What a note means for the person who takes the DAG over."""

    DONE = "translated"
    DIFFERENT = "different"
    DROPPED = "not needed"
    DECIDE = "decide"


@dataclass(frozen=True)
class Note:
    """A sentence about a field; `object_id` and `field` are empty where it is about the pipeline or a whole object."""

    object_id: str
    field: str
    level: Level
    text: str


def by_text(notes: Iterable[Note]) -> dict[str, list[Note]]:
    """The notes by their sentence: what is the same of several fields is one thing to read and to decide."""
    found: dict[str, list[Note]] = {}
    for note in notes:
        found.setdefault(note.text, []).append(note)
    return found


@dataclass
class Ledger:
    """The notes by object and field, in the order in which they were made."""

    _notes: dict[tuple[str, str, str], Note] = field(default_factory=dict)

    def note(self, found: PipelineObject | str, name: str, text: str, level: Level = Level.DONE) -> None:
        """Notes what became of a field, at the object that it was written in; nothing where it has no such field."""
        if level is Level.DONE and name and isinstance(found, PipelineObject) and name not in found.fields:
            return
        owner = found if isinstance(found, str) else found.origin(name) if name else found.id
        self._notes.setdefault((owner, name, text), Note(owner, name, level, text))

    def decide(self, found: PipelineObject | str, name: str, text: str) -> None:
        """Notes what a person must decide."""
        self.note(found, name, text, Level.DECIDE)

    def differs(self, found: PipelineObject | str, name: str, text: str) -> None:
        """Notes what will be different."""
        self.note(found, name, text, Level.DIFFERENT)

    def dropped(self, found: PipelineObject | str, name: str, text: str) -> None:
        """Notes what the DAG does without."""
        self.note(found, name, text, Level.DROPPED)

    @property
    def notes(self) -> list[Note]:
        return list(self._notes.values())

    def of(self, object_id: str, name: str) -> list[Note]:
        """The notes about one field; of an object as a whole where the field is empty."""
        return [note for note in self._notes.values() if (note.object_id, note.field) == (object_id, name)]

    def counts(self) -> Mapping[Level, int]:
        return {level: sum(note.level is level for note in self.notes) for level in Level}
