"""What an expression comes to: a constant, or Jinja that a DAG run computes."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Type = Literal["string", "integer", "double", "datetime"]
Plain = str | int | float | datetime

#: How Data Pipeline writes a DateTime into a text: its own reference parses one back with this pattern.
ISO = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True)
class Deferred:
    """A value that only a DAG run knows: an expression in Jinja, with its type.

    `known` is what it will be unless somebody changes it: a DAG parameter's default. `is_simple` says that it needs no
    brackets inside another expression. `secret` names the variable whose value it has, if that is a secret. `pieces`
    are those of the text that it is the value of, so that a text around it reads as if that had been written there.
    """

    code: str
    type: Type = "string"
    known: Plain | None = None
    is_simple: bool = True
    secret: str = ""
    pieces: tuple[str | Deferred, ...] = ()

    @property
    def operand(self) -> str:
        """The expression as part of another."""
        return self.code if self.is_simple else f"({self.code})"

    @property
    def printed(self) -> str:
        """The expression whose value is the text that Data Pipeline would write."""
        return f"{self.operand}.strftime('{ISO}')" if self.type == "datetime" else self.code


Atom = Plain | Deferred


def type_of(atom: Atom) -> Type:
    if isinstance(atom, Deferred):
        return atom.type
    if isinstance(atom, datetime):
        return "datetime"
    if isinstance(atom, int):
        return "integer"
    return "double" if isinstance(atom, float) else "string"


def written(value: Plain) -> str:
    """A constant as Data Pipeline writes it into a text."""
    return value.strftime(ISO) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True)
class Text:
    """A field's text: literal strings, and deferred values between them."""

    pieces: tuple[str | Deferred, ...]

    @classmethod
    def of(cls, *parts: Atom) -> Text:
        """The text of some values one after the other; neighbouring literals become one."""
        pieces: list[str | Deferred] = []
        spliced = (
            item for part in parts for item in (part.pieces if isinstance(part, Deferred) and part.pieces else (part,))
        )
        for part in spliced:
            piece = part if isinstance(part, Deferred) else written(part)
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            elif piece != "":
                pieces.append(piece)
        return cls(tuple(pieces))

    @property
    def fixed(self) -> str | None:
        """The text where it is the same for every run, DAG parameters at their defaults; else None."""
        known = [piece if isinstance(piece, str) else piece.known for piece in self.pieces]
        return None if None in known else "".join(written(piece) for piece in known if piece is not None)

    @property
    def atom(self) -> Atom:
        """The text as one value in an expression."""
        if len(self.pieces) == 1:
            return self.pieces[0]
        if not self.deferred:
            return self.fixed or ""
        secret = next(iter(sorted(self.secrets)), "")
        return Deferred(self.expression, known=self.fixed, is_simple=False, secret=secret, pieces=self.pieces)

    @property
    def jinja(self) -> str:
        """The text as a template: what only looks like Jinja in it is escaped."""
        return "".join(self._rendered(_escaped))

    @property
    def shell(self) -> str:
        """The template of one word in a shell script, quoted."""
        if self.fixed is not None and all(isinstance(piece, str) for piece in self.pieces):
            return _escaped(shlex.quote(self.fixed))
        quoted = "".join(self._rendered(lambda text: _escaped(text.replace("'", "'\\''"))))
        return f"'{quoted}'"

    @property
    def expression(self) -> str:
        """The text as one Jinja expression, for use inside another."""
        parts = [
            _quoted(piece) if isinstance(piece, str) else piece.printed if piece.is_simple else f"({piece.printed})"
            for piece in self.pieces
        ]
        return " ~ ".join(parts) or "''"

    @property
    def deferred(self) -> tuple[Deferred, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Deferred))

    @property
    def secrets(self) -> frozenset[str]:
        """The variables of which it shows the secret values."""
        return frozenset(piece.secret for piece in self.deferred if piece.secret)

    def split(self, separator: str, escape: str = "") -> list[Text]:
        """The texts between separators in the literal parts; an escaped separator is text.

        The reference escapes twice: it has two escape characters before a separator that is text, and four for one.
        """
        parts: list[list[Atom]] = [[]]
        for piece in self.pieces:
            if isinstance(piece, Deferred):
                parts[-1].append(piece)
                continue
            pattern = rf"(?<!{re.escape(escape)}){re.escape(separator)}" if escape else re.escape(separator)
            first, *others = re.split(pattern, piece)
            unescaped = [_unescaped(item, separator, escape) if escape else item for item in (first, *others)]
            parts[-1].append(unescaped[0])
            parts.extend([item] for item in unescaped[1:])
        return [Text.of(*part) for part in parts]

    def stripped(self) -> Text:
        """The text without blanks at its ends."""
        pieces = list(self.pieces)
        if pieces and isinstance(pieces[0], str):
            pieces[0] = pieces[0].lstrip()
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] = pieces[-1].rstrip()
        return Text.of(*pieces)

    def __add__(self, other: Text | str) -> Text:
        return Text.of(*self.pieces, *(other.pieces if isinstance(other, Text) else (other,)))

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def _rendered(self, literal: Callable[[str], str]) -> Iterator[str]:
        for piece, following in itertools.zip_longest(self.pieces, self.pieces[1:]):
            if isinstance(piece, Deferred):
                yield f"{{{{ {piece.printed} }}}}"
            elif piece.endswith("{") and following is not None:
                # Before an expression's own braces it would make three.
                yield literal(piece[:-1]) + "{{ '{' }}"
            else:
                yield literal(piece)


def _escaped(text: str) -> str:
    """A text in which Jinja finds nothing to do."""
    return re.sub(r"\{[{%#]", lambda match: f"{{{{ '{match[0]}' }}}}", text)


def _quoted(text: str) -> str:
    """A text as a string in Jinja."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"


def _unescaped(text: str, separator: str, escape: str) -> str:
    return re.sub(rf"{re.escape(escape)}{{1,2}}{re.escape(separator)}", separator, text).replace(escape * 4, escape)
