"""What is plain in a pickle that nobody trusts, and in JSON as Python writes it: what JSON, and jsonb, have too."""

from __future__ import annotations

import math
from typing import Any, Dict, NamedTuple

from mwaa_migrator.airflow_schema.pickles import NotPlain, read_pickle

#: Containers within containers. Airflow's own JSON encoder gives up at Python's recursion limit.
MOST_DEPTH = 100
#: Values and characters in the JSON; a pickle may have as many more as it has bytes. Without that limit, shared values
#: would grow without limit.
MOST_PARTS = 100000
#: An integer's bits. Python writes no longer ones as text (4,300 digits).
MOST_BITS = 14000


class PlainValue(NamedTuple):
    """``value`` has what JSON has: None, bool, int, float, str, list, and dict with text for keys.

    ``is_changed`` says that there was something else, which has become text or a list.
    """

    value: Any
    is_changed: bool


def unpickle(data: bytes) -> PlainValue:
    """Raises NotPlain, also for what is no pickle."""
    return plain_value(read_pickle(data), MOST_PARTS + len(data))


def plain_value(value: Any, parts: int) -> PlainValue:
    """Raises NotPlain, also if the JSON would have more values and characters than ``parts``."""
    conversion = _Conversion(parts)
    return PlainValue(conversion.convert(value, 0), conversion.is_changed)


class _Conversion:
    def __init__(self, parts: int) -> None:
        self.is_changed = False
        self._parts_left = parts

    def convert(self, value: Any, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise NotPlain(f"containers nested more than {MOST_DEPTH} deep")
        self._take(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            if value.bit_length() > MOST_BITS:
                raise NotPlain("a number with too many digits")
            return value
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            self.is_changed = True
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        if isinstance(value, (list, tuple)):
            self.is_changed |= isinstance(value, tuple)
            return [self.convert(one, depth + 1) for one in value]
        if isinstance(value, dict):
            return self._dict(value, depth)
        raise NotPlain(f"a value of type {type(value).__name__}")

    def _dict(self, value: Dict[Any, Any], depth: int) -> Dict[str, Any]:
        plain: Dict[str, Any] = {}
        for key, one in value.items():
            plain[self._key(key)] = self.convert(one, depth + 1)
        return plain

    def _key(self, key: Any) -> str:
        if isinstance(key, str):
            return self._text(key)
        if key is None or isinstance(key, (bool, int, float)):
            # As Python's JSON encoder does.
            self.is_changed = True
            names = {None: "null", True: "true", False: "false"}
            return names[key] if key is None or isinstance(key, bool) else self._text(str(self.convert(key, 0)))
        raise NotPlain(f"a key of type {type(key).__name__}")

    def _text(self, value: str) -> str:
        self._take(len(value))
        if "\0" in value:
            raise NotPlain("a NUL character")
        try:
            value.encode("utf-8")
            return value
        except UnicodeEncodeError:
            pass
        try:
            # Two halves that belong together are one character; JSON's escapes say it so as well.
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise NotPlain("half a character") from None

    def _take(self, parts: int) -> None:
        self._parts_left -= parts
        if self._parts_left < 0:
            raise NotPlain("shared values that would grow without limit")
