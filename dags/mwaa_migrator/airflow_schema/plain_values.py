"""Reads pickles that nobody trusts, and makes JSON of what is plain in them.

A pickle is a program. It can call what it finds by name, and only that: an unpickler that finds no name makes nothing
but plain values. It can still ask for memory and grow by shared references, so both are bounded by the pickle's size.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any, Dict, NamedTuple, Tuple

#: Containers within containers. Airflow's own JSON encoder gives up at Python's recursion limit.
_MOST_DEPTH = 100
#: Values and characters in the JSON; a pickle may have as many more as it has bytes.
_MOST_PARTS = 100000
#: An integer's bits. Python writes no longer ones as text (4,300 digits).
_MOST_BITS = 14000


#: What an operation of a pickle can end with, on values that it was not made for.
_ANY_FAILURE = (
    pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, ImportError, LookupError, MemoryError,
    RecursionError, TypeError, ValueError,
)  # fmt: skip


class NotPlain(Exception):
    """The pickle holds something that JSON, or jsonb, does not have; the message says what."""


class NotInJsonb(NotPlain):
    """It is text that JSON has and jsonb does not."""


class PlainValue(NamedTuple):
    """``value`` has what JSON has: None, bool, int, float, str, list, and dict with text for keys.

    ``is_changed`` says that the pickle held something else, which has become text or a list.
    """

    value: Any
    is_changed: bool


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise NotPlain(f"an object ({module}.{name})")

    def persistent_load(self, pid: Any) -> Any:
        raise NotPlain("a reference to something outside of it")


def unpickle(data: bytes) -> PlainValue:
    """Raises NotPlain, also for what is no pickle."""
    plain, conversion = _convert(data)
    return PlainValue(plain, conversion.is_changed)


def jsonb_problem(data: bytes) -> str | None:
    """What Airflow makes JSON of in this pickle, and PostgreSQL no jsonb; None if there is nothing of the kind.

    What Airflow makes no JSON of either it clears.
    """
    try:
        return "NaN or Infinity" if _convert(data)[1].has_no_number else None
    except NotInJsonb as problem:
        return str(problem)
    except NotPlain:
        return None


def _convert(data: bytes) -> Tuple[Any, _Conversion]:
    try:
        for operation, argument, _ in pickletools.genops(data):
            # A memo has room for the highest number that is asked for.
            if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument) <= len(data):
                raise NotPlain("no pickle of Python's")
        value = _Unpickler(io.BytesIO(data)).load()
    except NotPlain:
        raise
    except _ANY_FAILURE as error:
        raise NotPlain("no pickle of Python's") from error
    conversion = _Conversion(_MOST_PARTS + len(data))
    return conversion.convert(value, 0), conversion


class _Conversion:
    def __init__(self, parts: int) -> None:
        self.is_changed = self.has_no_number = False
        self._parts_left = parts

    def convert(self, value: Any, depth: int) -> Any:
        if depth > _MOST_DEPTH:
            raise NotPlain(f"more than {_MOST_DEPTH} containers within each other")
        self._take(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            if value.bit_length() > _MOST_BITS:
                raise NotPlain("a number of too many digits")
            return value
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            self.is_changed = self.has_no_number = True
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
            raise NotInJsonb("a NUL character")
        try:
            value.encode("utf-8")
            return value
        except UnicodeEncodeError:
            pass
        try:
            # Two halves that belong together are one character; JSON's escapes say it so as well.
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise NotInJsonb("half a character") from None

    def _take(self, parts: int) -> None:
        self._parts_left -= parts
        if self._parts_left < 0:
            raise NotPlain("shared values that would grow beyond measure")
