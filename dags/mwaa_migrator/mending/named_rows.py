"""Rows of one table by what happened to them: counted, and a few of them named."""

from __future__ import annotations

from typing import Dict, List

from mwaa_migrator.postgres.row_names import listed

#: So many rows a line names.
_EXAMPLES = 3


class NamedRows:
    """``what`` they are, in the plural."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rows: Dict[str, int] = {}
        self._examples: Dict[str, List[str]] = {}

    def add(self, name: str, told: str) -> None:
        """``told`` ends the line that names this row and others of its kind."""
        self._rows[told] = self._rows.get(told, 0) + 1
        examples = self._examples.setdefault(told, [])
        if len(examples) < _EXAMPLES:
            examples.append(name)

    def lines(self) -> List[str]:
        return [
            f"{rows} {self._what} ({listed(self._examples[told], rows)}): {told}" for told, rows in self._rows.items()
        ]
