"""The syntax of expressions, and its parser.

Written by hand as recursive descent: the grammar has six rules, and a parser generator would be a dependency of the
command line that is larger than the parser.

    text        = { character | "#{" sum "}" }
    sum         = product { ("+" | "-") product }
    product     = power { ("*" | "/") power }
    power       = signed [ "^" power ]
    signed      = [ "-" ] primary
    primary     = number | string | "(" sum ")" | name [ arguments ] { "." name arguments }
    name        = [ "@" | "*" ] identifier { "." [ "@" | "*" ] identifier }

A call after a name's last dot is the function's other spelling: `@scheduledStartTime.format('YYYY')` is
`format(@scheduledStartTime, 'YYYY')`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn


class NotAnExpression(Exception):
    """An expression does not parse; the message says where and what was expected."""


@dataclass(frozen=True)
class Literal:
    value: str | int | float


@dataclass(frozen=True)
class Name:
    """A dotted name: `input.directoryPath`, `node.@scheduledStartTime`, `*myPassword`."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Operation:
    operator: str
    left: Node
    right: Node


Node = Literal | Name | Call | Operation

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+\.\d*|\.\d+|\d+)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<name>[@]?[^\W\d][\w]*)
      | (?P<mark>[-+*/^(),.@])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_text(text: str) -> tuple[str | Node, ...]:
    """The pieces of a field's text: literal text, and the expressions in it.

    Raises:
        NotAnExpression: an expression is not closed, or does not parse.
    """
    pieces: list[str | Node] = []
    position = 0
    while (start := text.find("#{", position)) >= 0:
        if start > position:
            pieces.append(text[position:start])
        end = _end(text, start + 2)
        pieces.append(parse(text[start + 2 : end]))
        position = end + 1
    if position < len(text):
        pieces.append(text[position:])
    return tuple(pieces)


def parse(expression: str) -> Node:
    """The tree of one expression, written without its braces.

    Raises:
        NotAnExpression: it does not parse.
    """
    return _Parser(expression).parsed()


def names(text: str) -> list[tuple[str, ...]]:
    """The dotted names in a text's expressions; none where it does not parse."""
    try:
        return [piece.path for piece in _leaves(text) if isinstance(piece, Name)]
    except NotAnExpression:
        return []


def literals(text: str) -> list[str]:
    """What stands in a text itself, in its expressions too; all of it where it does not parse."""
    try:
        leaves = list(_leaves(text))
    except NotAnExpression:
        return [text]
    found = [piece.value if isinstance(piece, Literal) else piece for piece in leaves if not isinstance(piece, Name)]
    return [str(piece) for piece in found]


def _leaves(text: str) -> Iterator[str | Literal | Name]:
    """The literal text, and the literals and names in the expressions.

    Raises:
        NotAnExpression: one of them does not parse.
    """
    pending: list[str | Node] = list(parse_text(text))
    while pending:
        piece = pending.pop()
        if isinstance(piece, Call):
            pending.extend(piece.arguments)
        elif isinstance(piece, Operation):
            pending.extend((piece.left, piece.right))
        else:
            yield piece


def _end(text: str, start: int) -> int:
    """The index of the brace that closes the expression opened before `start`."""
    position, quote = start, ""
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "}":
            return position
        position += 1
    excerpt = text[start - 2 : start + 40]
    raise NotAnExpression(f"the expression {excerpt!r} is not closed: a }} or a quote is missing.")


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = list(self._read())
        self._index = 0

    def parsed(self) -> Node:
        if not self._tokens:
            raise NotAnExpression("the expression is empty.")
        node = self._sum()
        if self._index < len(self._tokens):
            self._fail("an operator")
        return node

    def _read(self) -> Iterator[_Token]:
        position = 0
        end = len(self._expression.rstrip())
        while position < end:
            found = _TOKEN.match(self._expression, position)
            if found is None:
                raise NotAnExpression(
                    f"#{{{self._expression}}} cannot be read at {self._expression[position:].strip()[:20]!r}."
                )
            kind = str(found.lastgroup)
            yield _Token(kind, found[kind], position)
            position = found.end()

    def _sum(self) -> Node:
        return self._left_to_right(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._left_to_right(("*", "/"), self._power)

    def _left_to_right(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        node = operand()
        while (operator := self._take_mark(*operators)) is not None:
            node = Operation(operator, node, operand())
        return node

    def _power(self) -> Node:
        base = self._signed()
        return Operation("^", base, self._power()) if self._take_mark("^") else base

    def _signed(self) -> Node:
        if self._take_mark("-"):
            return Operation("-", Literal(0), self._signed())
        return self._primary()

    def _primary(self) -> Node:
        if self._take_mark("("):
            node = self._sum()
            self._expect(")")
            return self._with_methods(node)
        token = self._next("a value")
        if token.kind == "number":
            return Literal(float(token.text) if "." in token.text else int(token.text))
        if token.kind == "string":
            return self._with_methods(Literal(_unquoted(token.text)))
        self._index -= 1
        path = [self._name()]
        while self._take_mark("."):
            path.append(self._name())
        if not self._take_mark("("):
            return Name(tuple(path))
        receiver = (Name(tuple(path[:-1])),) if len(path) > 1 else ()
        return self._with_methods(Call(path[-1], (*receiver, *self._arguments())))

    def _with_methods(self, node: Node) -> Node:
        while self._take_mark("."):
            function = self._name()
            self._expect("(")
            node = Call(function, (node, *self._arguments()))
        return node

    def _arguments(self) -> tuple[Node, ...]:
        """The arguments after an opening bracket, up to the closing one."""
        if self._take_mark(")"):
            return ()
        arguments = [self._sum()]
        while self._take_mark(","):
            arguments.append(self._sum())
        self._expect(")")
        return tuple(arguments)

    def _name(self) -> str:
        star = self._take_mark("*") or ""
        token = self._next("a name")
        if token.kind != "name":
            self._index -= 1
            self._fail("a name")
        return star + token.text

    def _take_mark(self, *marks: str) -> str | None:
        if self._index < len(self._tokens):
            token = self._tokens[self._index]
            if token.kind == "mark" and token.text in marks:
                self._index += 1
                return token.text
        return None

    def _expect(self, mark: str) -> None:
        if self._take_mark(mark) is None:
            self._fail(f"a {mark}")

    def _next(self, expected: str) -> _Token:
        if self._index == len(self._tokens):
            self._fail(expected)
        self._index += 1
        return self._tokens[self._index - 1]

    def _fail(self, expected: str) -> NoReturn:
        at_end = self._index == len(self._tokens)
        found = "it ends" if at_end else f"{self._tokens[self._index].text!r} was found"
        raise NotAnExpression(f"#{{{self._expression}}} does not parse: {expected} was expected, {found}.")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)
