"""Numbers and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_MINUTE = 60
_HOUR = 3600
# Control characters but for tab and line break: no page shows them, and a terminal obeys them.
_UNPRINTABLE = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def printable(value: Any) -> Any:
    """Text, or all text in a JSON value, without what UTF-8 cannot hold and nobody may print; JSON can hold both."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().translate(_UNPRINTABLE)
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value


def duration(seconds: float) -> str:
    """`8.4 s`, `49 s`, `26 min`, `2 h 5 min`: two digits or two units, as much as anybody compares."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace("0.0 s", "0 s")
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 10 * _MINUTE:
        minutes, rest = divmod(round(seconds), _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count(number: int | None) -> str:
    """`2,070,000`; a dash for what nobody counted."""
    return "\N{EN DASH}" if number is None else f"{number:,}"


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 row`, `2,070 rows`."""
    return f"{count(number)} {thing if number == 1 else things or f'{thing}s'}"


def dollars(usd: float) -> str:
    """`$1,234.50`."""
    return f"${usd:,.2f}"


def listed(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """`a, b and 3 more`."""
    shown = separator.join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def cut(text: str, most: int) -> str:
    """The end of a text that is too long, because a trace ends with what is wrong."""
    return text if len(text) <= most else f"\N{HORIZONTAL ELLIPSIS}{text[1 - most :]}"


def slug(name: str, most: int = 24) -> str:
    """A name as part of an id: lower-case letters, digits and single hyphens, `most` characters of it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:most].rstrip("-")
