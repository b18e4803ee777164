"""Writes values as Airflow's own JSON (``airflow.sdk.serde``), so that Airflow 3 reads back what equals them.

Airflow's own code cannot be asked to: it is another one in each release, and 2.11 has none that writes what 3.x reads.
A test holds both together, in each release that is installed. Where Airflow loses something, as a Decimal's digits or a
large number's last ones, what it reads is what counts, not what it would have written.
"""

from __future__ import annotations

import datetime
import json
import math
from decimal import Decimal
from typing import Any, Callable, List, Mapping

from mwaa_migrator.airflow_schema.pickles import NotPlain
from mwaa_migrator.airflow_schema.plain_values import MOST_BITS, MOST_DEPTH

#: Keys by which Airflow tells its own objects from a dict, today and in 2.x.
_RESERVED = ("__classname__", "__version__", "__data__", "__id__", "__type", "__var")

#: The numbers that JSON has no word for, wherever they may stand in its texts. The migration of 3.2 puts quotes around
#: these words inside texts, too, and makes invalid JSON of it.
_WORDS = {"NaN": "\\u004eaN", "Infinity": "\\u0049nfinity"}


def airflow_json(value: Any, parts: int) -> str:
    """JSON that Airflow 3 reads as a value equal to this one; raises NotPlain with the reason if there is none.

    Also if it would have more values and characters than ``parts``.
    """
    writer = _Writer(parts)
    writer.write(value, 0)
    return without_words("".join(writer.pieces))


def without_words(text: str) -> str:
    """The same JSON in which no text has the words NaN and Infinity in clear. It has them in texts only."""
    for word, escaped in _WORDS.items():
        text = text.replace(word, escaped)
    return text


class _Writer:
    def __init__(self, parts: int) -> None:
        self.pieces: List[str] = []
        self._parts_left = parts

    def write(self, value: Any, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise NotPlain(f"containers nested more than {MOST_DEPTH} deep")
        self._take(1)
        write = _WRITERS.get(type(value))
        if write is None:
            raise NotPlain(f"a value of type {type(value).__name__}")
        write(self, value, depth)

    def _take(self, parts: int) -> None:
        self._parts_left -= parts
        if self._parts_left < 0:
            raise NotPlain("shared values that would grow without limit")

    def _constant(self, value: Any, depth: int) -> None:
        self.pieces.append(json.dumps(value))

    def _int(self, value: int, depth: int) -> None:
        if value.bit_length() > MOST_BITS:
            raise NotPlain("a number with too many digits")
        self.pieces.append(str(value))

    def _float(self, value: float, depth: int) -> None:
        """In all its digits and with a point: jsonb writes 1e+23 as an integer, which is another number."""
        if not math.isfinite(value):
            raise NotPlain("NaN or Infinity")
        text = format(Decimal(repr(value)), "f")
        self.pieces.append(text if "." in text else text + ".0")

    def _text(self, value: str, depth: int) -> None:
        self._take(len(value))
        if "\0" in value:
            raise NotPlain("a NUL character")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise NotPlain("half a character") from None
        self.pieces.append(json.dumps(value))

    def _list(self, value: List[Any], depth: int) -> None:
        self._enclose("[", value, "]", depth)

    def _dict(self, value: Mapping[Any, Any], depth: int) -> None:
        separator = "{"
        for key, one in value.items():
            if not isinstance(key, str):
                raise NotPlain(f"a key of type {type(key).__name__}")
            if key in _RESERVED:
                raise NotPlain(f"the key {key}, which is Airflow's own")
            self.pieces.append(separator)
            self._text(key, depth)
            self.pieces.append(": ")
            self.write(one, depth + 1)
            separator = ", "
        self.pieces.append("}" if value else "{}")

    def _tuple(self, value: Any, depth: int) -> None:
        self._begin("builtins.tuple", 1)
        self._list(list(value), depth)
        self.pieces.append("}")

    def _set(self, value: Any, depth: int) -> None:
        """Its members in the order of their JSON: their own order differs from process to process."""
        self._begin(f"builtins.{type(value).__name__}", 1)
        pieces, members = self.pieces, []
        for one in value:
            self.pieces = []
            self.write(one, depth + 1)
            members.append("".join(self.pieces))
        self.pieces = pieces
        self.pieces.append("[{}]}}".format(", ".join(sorted(members))))

    def _decimal(self, value: Decimal, depth: int) -> None:
        if not value.is_finite():
            raise NotPlain("NaN or Infinity")
        self._begin("decimal.Decimal", 1)
        # Airflow makes a number of it, with fewer digits, and reads a text as well.
        self.pieces.append(json.dumps(str(value)) + "}")

    def _date(self, value: datetime.date, depth: int) -> None:
        self._begin("datetime.date", 2)
        self.pieces.append(json.dumps(value.isoformat()) + "}")

    def _timedelta(self, value: datetime.timedelta, depth: int) -> None:
        seconds = value.total_seconds()
        try:
            read = datetime.timedelta(seconds=seconds)
        except OverflowError:
            read = None
        if read != value:
            raise NotPlain("a duration that Airflow does not keep to the microsecond")
        self._begin("datetime.timedelta", 2)
        self._float(seconds, depth)
        self.pieces.append("}")

    def _datetime(self, value: datetime.datetime, depth: int) -> None:
        """A naive one as Airflow has it: in the time zone of the process, which is that of the target's tasks."""
        try:
            timestamp = value.timestamp()
            read = datetime.datetime.fromtimestamp(timestamp, value.tzinfo)
        except (ArithmeticError, OSError, ValueError):
            read = None
        if read != value:
            raise NotPlain("a time that Airflow does not keep to the microsecond")
        self._begin("datetime.datetime", 2)
        self.pieces.append('{"timestamp": ')
        self._float(timestamp, depth)
        self.pieces.append(', "tz": ')
        offset = value.utcoffset()
        if offset is None:
            self.pieces.append("null}}")
            return
        seconds = offset.total_seconds()
        if seconds != int(seconds):
            raise NotPlain("a time zone with fractions of a second")
        self._begin("builtins.tuple", 1)
        zone = json.dumps(int(seconds) if seconds else "UTC")
        self.pieces.append(f'[{zone}, "pendulum.tz.timezone.FixedTimezone", 1, true]}}}}}}')

    def _begin(self, name: str, version: int) -> None:
        self._take(1)
        self.pieces.append(f'{{"__classname__": "{name}", "__version__": {version}, "__data__": ')

    def _enclose(self, begin: str, values: List[Any], end: str, depth: int) -> None:
        separator = begin
        for one in values:
            self.pieces.append(separator)
            self.write(one, depth + 1)
            separator = ", "
        self.pieces.append(end if values else begin + end)


_WRITERS: Mapping[type, Callable[[_Writer, Any, int], None]] = {
    type(None): _Writer._constant,
    bool: _Writer._constant,
    int: _Writer._int,
    float: _Writer._float,
    str: _Writer._text,
    list: _Writer._list,
    dict: _Writer._dict,
    tuple: _Writer._tuple,
    set: _Writer._set,
    frozenset: _Writer._set,
    Decimal: _Writer._decimal,
    datetime.date: _Writer._date,
    datetime.timedelta: _Writer._timedelta,
    datetime.datetime: _Writer._datetime,
}
