"""Rows of one table by what happened to them: counted, and a few of them named."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from mwaa_migrator.postgres.row_names import counted, listed

#: So many rows a line names.
EXAMPLES = 3


class NamedRows:
    """``what`` each of them is, in the singular."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rows: Dict[str, int] = {}
        self._examples: Dict[str, List[str]] = {}

    def add(self, name: str, told: str) -> None:
        """``told`` ends the line that names this row and others of its kind."""
        self.add_counted(1, [name], told)

    def add_counted(self, rows: int, examples: Sequence[str], told: str) -> None:
        """``rows`` of one kind, with the names of some of them."""
        self._rows[told] = self._rows.get(told, 0) + rows
        named = self._examples.setdefault(told, [])
        named += examples[: EXAMPLES - len(named)]

    def kinds(self) -> List[Tuple[str, int, List[str]]]:
        """For each kind the end of its line, the number of its rows, and the names of a few."""
        return [(told, rows, self._examples[told]) for told, rows in self._rows.items()]

    def lines(self) -> List[str]:
        return [
            f"{counted(rows, self._what)} ({listed(examples, rows)}): {told}" for told, rows, examples in self.kinds()
        ]
