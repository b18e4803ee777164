"""Numbers and names in messages of one line."""

from __future__ import annotations

from typing import Sequence


def counted(rows: int, what: str) -> str:
    """So many of ``what``, which is in the singular."""
    return f"{rows} {what}" if rows == 1 else f"{rows} {what}s"


def listed(examples: Sequence[str], rows: int) -> str:
    """The names of some of so many rows."""
    return ", ".join(examples) + ("" if rows == len(examples) else ", ...")
