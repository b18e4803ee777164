"""Reads JSON as people publish it.

Definitions in the wild have line breaks inside strings, commas before a closing bracket, curly quotes from a word
processor, and a key more than once, by which Data Pipeline's own reference writes a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_QUOTES = {'"': '"', "“": "”", "”": "”"}


def loads(text: str) -> Any:
    """The document. A key that is repeated has the list of its values.

    Raises:
        ValueError: it is no JSON, even so; the message has line and column.
    """
    return json.loads(_mended(text.removeprefix("\ufeff")), strict=False, object_pairs_hook=_with_lists)


def _mended(text: str) -> str:
    """The text with straight quotes around strings and without commas before a closing bracket.

    Lines stay lines, so that the parser's message points into the file.
    """
    mended: list[str] = []
    position, comma = 0, None
    while position < len(text):
        character = text[position]
        if character in _QUOTES:
            end = _end_of_string(text, position)
            inside = text[position + 1 : end]
            mended.append('"' + (inside if character == '"' else inside.replace('"', '\\"')))
            mended.append('"' if end < len(text) else "")
            position, comma = end + 1, None
            continue
        if character in "]}" and comma is not None:
            mended[comma] = " "
        if not character.isspace():
            comma = len(mended) if character == "," else None
        mended.append(character)
        position += 1
    return "".join(mended)


def _end_of_string(text: str, start: int) -> int:
    """The index of the quote that closes the string opened at `start`; the text's length where none does."""
    closing = _QUOTES[text[start]]
    position = start + 1
    while position < len(text) and text[position] != closing:
        position += 2 if text[position] == "\\" else 1
    return min(position, len(text))


def _with_lists(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for key, value in pairs:
        if key not in found:
            found[key] = value
        elif key in repeated:
            found[key].append(value)
        else:
            repeated.add(key)
            found[key] = [found[key], value]
    return found
