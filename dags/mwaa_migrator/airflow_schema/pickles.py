"""Reads pickles that nobody trusts.

A pickle is a program. Python's own unpickler runs it: it imports what the pickle names, calls it, and asks for as much
memory as it is told to. This one goes through the same operations and makes plain values of them. Beside those it
knows a few names of the standard library (``CONSTRUCTORS``), and any other name ends it. Nothing is imported, nothing
of the pickle's is called, and no operation takes more memory than the pickle has bytes for.
"""

from __future__ import annotations

import datetime
import pickletools
from decimal import Decimal
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

#: Values within a key or within a member of a set. To find its place Python reads all of it, shared parts each time.
_MOST_TO_HASH = 1000

#: What an operation can end with, on values that it was not made for.
_ANY_FAILURE = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


class NotPlain(Exception):
    """The pickle holds something else than is asked for; the message says what."""


class Name(NamedTuple):
    """A class or a function as a pickle names it."""

    module: str
    name: str


#: Modules under the names that they had in Python 2, which protocols below 3 use.
_RENAMED_MODULES = {"__builtin__": "builtins"}


def _set(arguments: Sequence[Any]) -> Any:
    (members,) = arguments or ([],)
    return _members(members)


def _frozenset(arguments: Sequence[Any]) -> Any:
    return frozenset(_set(arguments))


def _encoded(arguments: Sequence[Any]) -> bytes:
    """How older protocols write bytes."""
    text, encoding = arguments
    if not isinstance(text, str) or encoding != "latin1":
        raise TypeError
    return text.encode("latin1")


def _bytes(arguments: Sequence[Any]) -> bytes:
    if arguments:
        raise TypeError
    return b""


def _decimal(arguments: Sequence[Any]) -> Decimal:
    (text,) = arguments
    if not isinstance(text, str):
        raise TypeError
    return Decimal(text)


def _timedelta(arguments: Sequence[Any]) -> datetime.timedelta:
    days, seconds, microseconds = arguments
    return datetime.timedelta(days, seconds, microseconds)


def _timezone(arguments: Sequence[Any]) -> datetime.timezone:
    (offset, *name) = arguments
    return datetime.timezone(offset, *name)


def _date(arguments: Sequence[Any]) -> datetime.date:
    (state,) = arguments
    if not isinstance(state, bytes):
        raise TypeError
    return datetime.date(state)


def _datetime(arguments: Sequence[Any]) -> datetime.datetime:
    state, *zone = arguments
    if not isinstance(state, bytes) or [one for one in zone if not isinstance(one, datetime.timezone)]:
        raise TypeError
    return datetime.datetime(state, *zone)  # noqa: DTZ001 - as it was pickled


Constructors = Mapping[Name, Callable[[Sequence[Any]], Any]]

#: How Python pickles values of its own library that Airflow 3 has JSON for. Each takes the arguments as they come, and
#: ends with one of _ANY_FAILURE for any that Python does not write.
CONSTRUCTORS: Constructors = {
    Name("builtins", "set"): _set,
    Name("builtins", "frozenset"): _frozenset,
    Name("builtins", "bytes"): _bytes,
    Name("_codecs", "encode"): _encoded,
    Name("decimal", "Decimal"): _decimal,
    Name("datetime", "timedelta"): _timedelta,
    Name("datetime", "timezone"): _timezone,
    Name("datetime", "date"): _date,
    Name("datetime", "datetime"): _datetime,
}

_NO_CONSTRUCTORS: Constructors = {}


def read_pickle(data: bytes, constructors: Constructors = _NO_CONSTRUCTORS) -> Any:
    """The value that the pickle stands for; raises NotPlain, also for what is no pickle.

    It has None, bool, int, float, str, bytes, list, tuple, set, frozenset and dict, and what ``constructors`` make.
    Parts of it may be shared, and it may hold itself.
    """
    try:
        return _Machine(constructors).run(data)
    except _ANY_FAILURE as error:
        raise NotPlain("no pickle of Python's") from error


#: A mark on the machine's stack.
_MARK: Any = object()

#: Operations that put their argument on the stack.
_ARGUMENTS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: Dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "MARK": lambda: _MARK}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_NOTHING = frozenset(("PROTO", "FRAME"))
_OF_OBJECTS = frozenset(["BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"])
_FROM_OUTSIDE = frozenset(["PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"])


class _Machine:
    def __init__(self, constructors: Constructors) -> None:
        self._constructors = constructors
        self._stack: List[Any] = []
        self._memo: Dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for operation, argument, _ in pickletools.genops(data):
            name = operation.name
            if name in _ARGUMENTS:
                self._stack.append(argument)
            elif name == "MEMOIZE":
                self._memo[len(self._memo)] = self._top()
            elif name in _PUTS:
                # Python's own makes room for the highest number.
                if not 0 <= int(argument) <= len(data):
                    raise ValueError
                self._memo[int(argument)] = self._top()
            elif name in _GETS:
                self._stack.append(self._memo[int(argument)])
            elif name in _EMPTY:
                self._stack.append(_EMPTY[name]())
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name == "STOP":
                return self._pop()
            elif name not in _NOTHING:
                self._do(name, argument)
        raise ValueError

    def _do(self, name: str, argument: Any) -> None:
        if name in _OF_OBJECTS:
            raise NotPlain("an object")
        if name in _FROM_OUTSIDE:
            raise NotPlain("a reference to something outside it")
        if name in _TUPLES:
            self._stack[-_TUPLES[name] :] = [tuple(self._last(_TUPLES[name]))]
        elif name == "GLOBAL":
            module, _, called = str(argument).partition(" ")
            self._push_name(module, called)
        elif name == "STACK_GLOBAL":
            called, module = self._pop(), self._pop()
            self._push_name(module, called)
        else:
            _OPERATIONS[name](self)

    def _top(self) -> Any:
        if self._stack[-1] is _MARK:
            raise ValueError
        return self._stack[-1]

    def _pop(self) -> Any:
        top = self._top()
        self._stack.pop()
        return top

    def _last(self, count: int) -> List[Any]:
        values = self._stack[-count:]
        if len(values) < count or any(value is _MARK for value in values):
            raise ValueError
        return values

    def _pop_to_mark(self) -> List[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError
        values = self._stack[place + 1 :]
        del self._stack[place:]
        return values

    def _push_name(self, module: Any, called: Any) -> None:
        if not isinstance(module, str) or not isinstance(called, str):
            raise TypeError
        name = Name(_RENAMED_MODULES.get(module, module), called)
        if name not in self._constructors:
            raise NotPlain(f"an object ({module}.{called})")
        self._stack.append(name)

    def _reduce(self) -> None:
        arguments, name = self._pop(), self._pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise TypeError
        self._stack.append(self._constructors[name](arguments))

    def _pop_one(self) -> None:
        self._stack.pop()

    def _duplicate(self) -> None:
        self._stack.append(self._top())

    def _append(self) -> None:
        value = self._pop()
        self._container(list).append(value)

    def _extend(self) -> None:
        values = self._pop_to_mark()
        self._container(list).extend(values)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        _fill(self._container(dict), [key, value])

    def _set_items(self) -> None:
        values = self._pop_to_mark()
        _fill(self._container(dict), values)

    def _add_items(self) -> None:
        values = self._pop_to_mark()
        self._container(set).update(_members(values))

    def _container(self, kind: type) -> Any:
        top = self._top()
        if type(top) is not kind:
            raise ValueError
        return top


_OPERATIONS: Dict[str, Callable[[_Machine], None]] = {
    "REDUCE": _Machine._reduce,
    "POP": _Machine._pop_one,
    "POP_MARK": lambda machine: machine._pop_to_mark() and None,
    "DUP": _Machine._duplicate,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._extend,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "ADDITEMS": _Machine._add_items,
    "TUPLE": lambda machine: machine._stack.append(tuple(machine._pop_to_mark())),
    "LIST": lambda machine: machine._stack.append(machine._pop_to_mark()),
    "DICT": lambda machine: machine._stack.append(_fill({}, machine._pop_to_mark())),
    "FROZENSET": lambda machine: machine._stack.append(frozenset(_members(machine._pop_to_mark()))),
    "BYTEARRAY8": lambda machine: _refuse_bytearray(),
}


def _refuse_bytearray() -> None:
    raise NotPlain("a value of type bytearray")


def _fill(target: Dict[Any, Any], pairs: List[Any]) -> Dict[Any, Any]:
    if len(pairs) % 2:
        raise ValueError
    for key, value in zip(pairs[::2], pairs[1::2]):
        if not (key is None or isinstance(key, (bool, int, float, str))):
            raise NotPlain(f"a key of type {type(key).__name__}")
        target[key] = value
    return target


def _members(values: Any) -> set[Any]:
    """The set of these values, none of which takes long to hash."""
    if type(values) not in (list, tuple):
        raise ValueError
    for value in values:
        if isinstance(value, (tuple, frozenset)):
            _require_small(value)
    return set(values)


def _require_small(value: Any) -> None:
    waiting: List[Tuple[Any, ...]] = [tuple(value)]
    left = _MOST_TO_HASH
    while waiting:
        parts = waiting.pop()
        left -= 1 + len(parts)
        if left < 0:
            raise NotPlain("a set of large values")
        waiting += [tuple(part) for part in parts if isinstance(part, (tuple, frozenset))]
