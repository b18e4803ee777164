"""What is wrong with a definition, all at once and each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: in which object and field (empty where it is neither's), and what to do about it."""

    object_id: str
    field: str
    message: str

    def __str__(self) -> str:
        place = ".".join(part for part in (self.object_id, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


class DefinitionRefused(Exception):
    """A definition cannot be translated as it is. `problems` has every reason; the message lists them."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(
            "\n".join([f"{source} cannot be translated, {count}:", *(f"  {problem}" for problem in self.problems)])
        )
