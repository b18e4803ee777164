"""Tables of the pages."""

from __future__ import annotations

from collections.abc import Iterable


def table(columns: Iterable[str], rows: Iterable[str]) -> str:
    """The head and the rows, which are lines of Markdown already."""
    names = list(columns)
    return "\n".join([f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}", *rows])


def cell(text: str) -> str:
    """A text on one line, with its bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")
