"""What a check asks, and what it has found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from migration.errors import MigrationError

#: `different`: not as expected. `unknown`: the question could not be asked.
Answer = Literal["expected", "different", "unknown"]

#: What AWS or a web server raises when it refuses a question.
REFUSALS = (BotoCoreError, ClientError, MigrationError)


@dataclass(frozen=True)
class Check:
    """A question to the account.

    Attributes:
        name: as docs/assumptions.md names it.
        expected: the answers that a migration is prepared for.
        meaning: what any other answer means for a migration, and what to do.
        stops: whether any other answer stops a migration.
    """

    name: str
    question: str
    expected: str
    meaning: str
    stops: bool


@dataclass(frozen=True)
class Finding:
    """The answer to a check about one thing: an environment, a function, a state machine, the stack."""

    check: Check
    about: str
    answer: Answer
    found: str

    @property
    def stops(self) -> bool:
        """Whether a migration would fail of it."""
        return self.answer == "different" and self.check.stops


def as_expected(check: Check, about: str, is_as_expected: bool, found: str) -> Finding:
    """A finding of a question that was answered."""
    return Finding(check, about, "expected" if is_as_expected else "different", found)


def asking(check: Check, about: str, ask: Callable[[], Finding]) -> Iterator[Finding]:
    """A check's finding; where AWS or the web server refuses the question, that is the finding."""
    try:
        yield ask()
    except REFUSALS as error:
        yield Finding(check, about, "unknown", f"could not be asked: {error}")
