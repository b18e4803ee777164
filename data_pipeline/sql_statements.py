"""Splits a script into its statements."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""
    (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
  | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<jinja>\{\{.*?\}\})
  | (?P<end>;)
  | (?P<other>[^;'"$\-/{?]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def pieces(script: str) -> list[str]:
    """The strings, comments, expressions and other parts of a script; a question mark outside of them is a part."""
    return [match[0] for match in _PIECE.finditer(script)]


def split(script: str) -> list[str]:
    """The statements without their semicolons; a semicolon in a string, a comment or an expression ends none."""
    statements = [""]
    for match in _PIECE.finditer(script):
        if match["end"]:
            statements.append("")
        else:
            statements[-1] += match[0]
    return [statement.strip() for statement in statements if _without_comments(statement).strip()]


def _without_comments(statement: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", statement, flags=re.DOTALL)
