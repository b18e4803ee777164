"""Rows in COPY's text format, for the few tables whose rows have to pass through Python."""

from __future__ import annotations

from typing import Callable, List, Optional

#: The values of a row as text; None is NULL.
Row = List[Optional[str]]

_ESCAPES = (("\\b", "\b"), ("\\f", "\f"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\v", "\v"))


def parse_row(line: str) -> Row:
    """The values of one line, which comes without its line end."""
    return [None if field == "\\N" else _unescape(field) for field in line.split("\t")]


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    # COPY TO writes no octal or hex escapes. Between two escaped backslashes, a backslash begins an escape.
    pieces = field.split("\\\\")
    for escape, character in _ESCAPES:
        pieces = [piece.replace(escape, character) for piece in pieces]
    return "\\".join(pieces)


def format_row(row: Row) -> str:
    """The line of a row, without a line end."""
    return "\t".join("\\N" if field is None else _escape(field) for field in row)


def _escape(field: str) -> str:
    field = field.replace("\\", "\\\\")
    for escape, character in _ESCAPES:
        field = field.replace(character, escape)
    return field


class RowLines:
    """A file for COPY TO that hands each row to ``handle``; blocks may end anywhere."""

    def __init__(self, handle: Callable[[Row], None]) -> None:
        self._handle = handle
        self._begun: list[bytes] = []

    def write(self, block: bytes) -> None:
        lines = block.split(b"\n")
        # A value of many blocks is joined once, not with each of them.
        self._begun.append(lines[0])
        if len(lines) == 1:
            return
        lines[0] = b"".join(self._begun)
        self._begun = [lines.pop()]
        for line in lines:
            self._handle(parse_row(line.decode("utf-8")))
