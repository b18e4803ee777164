"""Rows of one table by what happened to them: counted, and a few of them named."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from mwaa_migrator.wording import counted, listed

#: So many rows a line names.
EXAMPLES = 3


class NamedRows:
    """``what`` each of them is, in the singular."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rows: Dict[str, int] = {}
        self._examples: Dict[str, List[str]] = {}

    def add(self, name: str, reason: str) -> None:
        """``reason`` ends the line that names this row and others of its kind."""
        self.add_counted(1, [name], reason)

    def add_counted(self, rows: int, examples: Sequence[str], reason: str) -> None:
        """``rows`` of one kind, with the names of some of them."""
        self._rows[reason] = self._rows.get(reason, 0) + rows
        named = self._examples.setdefault(reason, [])
        named += examples[: EXAMPLES - len(named)]

    def kinds(self) -> List[Tuple[str, int, List[str]]]:
        """For each kind the end of its line, the number of its rows, and the names of a few."""
        return [(reason, rows, self._examples[reason]) for reason, rows in self._rows.items()]

    def lines(self) -> List[str]:
        return [
            f"{counted(rows, self._what)} ({listed(examples, rows)}): {reason}"
            for reason, rows, examples in self.kinds()
        ]
