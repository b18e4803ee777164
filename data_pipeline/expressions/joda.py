"""Joda-Time's patterns, which Data Pipeline formats dates with.

Letters as in Joda-Time's DateTimeFormat. Its `YYYY` is the year of the era, the same as `yyyy` for every date after
Christ, and not the week's year as in Java's SimpleDateFormat; that is `xxxx`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import jinja2

_LETTERS = "GCYxweEyDMdaKhHkmsSzZ"
_RUN = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<text>[^A-Za-z']+)", re.DOTALL)


class NotAPattern(Exception):
    """A pattern has a letter that Joda-Time does not know, or a quote that is not closed."""


@dataclass(frozen=True)
class Piece:
    """A part of a pattern: `directive` for strftime, or else an expression in Jinja of the time `{t}`."""

    directive: str = ""
    expression: str = ""


def pieces(pattern: str) -> list[Piece]:
    """A pattern's parts in their order, neighbouring directives as one.

    Raises:
        NotAPattern: Joda-Time would refuse it.
    """
    found: list[Piece] = []
    position = 0
    while position < len(pattern):
        match = _RUN.match(pattern, position)
        if match is None:
            raise NotAPattern(f"the pattern {pattern!r} has a quote that is not closed.")
        position = match.end()
        if match["letters"]:
            piece = _field(match["letters"], pattern)
        elif match["text"] is not None:
            piece = Piece(match["text"].replace("%", "%%"))
        else:
            piece = Piece((match["quoted"].replace("''", "'") or "'").replace("%", "%%"))
        if found and found[-1].directive and piece.directive:
            found[-1] = Piece(found[-1].directive + piece.directive)
        else:
            found.append(piece)
    return found


def formatted(time: datetime, pattern: str) -> str:
    """A time in a pattern.

    Raises:
        NotAPattern: Joda-Time would refuse it.
    """
    return "".join(
        time.strftime(piece.directive) if piece.directive else _computed(piece.expression, time)
        for piece in pieces(pattern)
    )


def jinja(time: str, pattern: str) -> str:
    """The expression in Jinja that formats what the expression `time` gives.

    Raises:
        NotAPattern: Joda-Time would refuse it.
    """
    parts = [
        f"{time}.strftime({_quoted(piece.directive)})" if piece.directive else f"({piece.expression.format(t=time)})"
        for piece in pieces(pattern)
    ]
    return " ~ ".join(parts) or "''"


def _field(letters: str, pattern: str) -> Piece:
    """What a run of one letter stands for."""
    letter, count = letters[0], len(letters)
    if letter not in _LETTERS:
        raise NotAPattern(f"the pattern {pattern!r} has the letter {letter}, which Joda-Time does not know.")
    if letter in "Yyx":
        return _year(letter, count)
    if letter in "EaGzZ":
        return _text(letter, count)
    if letter == "M" and count >= 3:
        return Piece("%b" if count == 3 else "%B")
    if letter == "S":
        # Fractions of a second: so many digits as letters.
        micros = f"'%06d' % {{t}}.microsecond)[:{count}]" if count < 6 else "'%06d' % {t}.microsecond)"
        return Piece(expression=f"({micros}" + (f" ~ '{'0' * (count - 6)}'" if count > 6 else ""))
    padded = {"d": "%d", "M": "%m", "D": "%j", "H": "%H", "h": "%I", "m": "%M", "s": "%S", "w": "%V", "e": "%u"}
    digits = 3 if letter == "D" else 1 if letter == "e" else 2
    if letter in padded and count in (1, digits):
        # glibc's %-d is the number without its zero; Amazon MWAA's workers are Linux.
        directive = padded[letter]
        return Piece(directive if count == digits else f"%-{directive[1]}")
    value = {
        "C": "{t}.year // 100",
        "K": "{t}.hour % 12",
        "k": "(({t}.hour + 23) % 24) + 1",
        "h": "(({t}.hour + 11) % 12) + 1",
        "d": "{t}.day",
        "M": "{t}.month",
        "D": "{t}.timetuple().tm_yday",
        "H": "{t}.hour",
        "m": "{t}.minute",
        "s": "{t}.second",
        "w": "{t}.isocalendar()[1]",
        "e": "{t}.isoweekday()",
    }[letter]
    return Piece(expression=value if count == 1 else f"'%0{count}d' % ({value})")


def _year(letter: str, count: int) -> Piece:
    if count == 2:
        return Piece("%y") if letter != "x" else Piece(expression="'%02d' % ({t}.isocalendar()[0] % 100)")
    if count <= 4:
        return Piece("%Y" if letter != "x" else "%G")
    value = "{t}.year" if letter != "x" else "{t}.isocalendar()[0]"
    return Piece(expression=f"'%0{count}d' % ({value})")


def _text(letter: str, count: int) -> Piece:
    if letter == "E":
        return Piece("%a" if count < 4 else "%A")
    if letter == "a":
        return Piece("%p")
    if letter == "G":
        return Piece("AD")
    if letter == "z":
        return Piece("%Z") if count < 4 else Piece("Coordinated Universal Time")
    if count == 2:
        return Piece(expression="{t}.strftime('%z')[:3] ~ ':' ~ {t}.strftime('%z')[3:]")
    return Piece("%z" if count == 1 else "%Z")


def _computed(expression: str, time: datetime) -> str:
    """A piece's expression, computed: what Jinja would make of it."""
    # bandit: it computes a number's digits, no HTML.
    environment = jinja2.Environment(autoescape=False)  # nosec B701
    return str(environment.compile_expression(expression.format(t="t"))(t=time))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
