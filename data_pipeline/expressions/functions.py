"""Data Pipeline's functions and operators: computed on constants, written as Jinja on what a run knows.

The functions of AWS's reference, and two that are only in its examples or in use: `plusPeriod`, and `inTimeZone`.
Deferred times are pendulum's, as Airflow has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import periods
from . import joda
from .values import Atom, Deferred, Plain, Text, Type, type_of, written


class NotComputable(Exception):
    """An expression names no function, or gives one what it does not take."""


@dataclass(frozen=True)
class Function:
    """A function: the types that it takes and gives, how it computes constants, and its code for deferred ones.

    `code` gets the operands' expressions, and constants as they are written in Jinja.
    """

    takes: tuple[Type, ...]
    gives: Type
    compute: Callable[..., Plain]
    code: Callable[..., str]


def call(name: str, arguments: Sequence[Atom]) -> Atom:
    """The value of a call.

    Raises:
        NotComputable: there is no such function, or the arguments do not fit it.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise NotComputable(f"there is no function {name}.")
    if len(arguments) != len(function.takes):
        raise NotComputable(f"{name} takes {len(function.takes)} arguments, not {len(arguments)}.")
    fitting = [_fitting(name, argument, wanted) for argument, wanted in zip(arguments, function.takes, strict=True)]
    constants = [_known(argument) for argument in fitting]
    try:
        if None not in constants:
            return function.compute(*constants)
        code = function.code(*(_operand(item) for item in fitting))
        return Deferred(code, function.gives, is_simple=" ~ " not in code)
    except (joda.NotAPattern, periods.NotAPeriod) as error:
        raise NotComputable(str(error)) from error
    except (ValueError, OverflowError) as error:
        raise NotComputable(f"{name}: {error}.") from error


def operate(operator: str, left: Atom, right: Atom) -> Atom:
    """The value of an operation: a sum of texts is their concatenation.

    Raises:
        NotComputable: the operands are no numbers.
    """
    types = {type_of(left), type_of(right)}
    if operator == "+" and types & {"string", "datetime"}:
        return Text.of(left, right).atom
    if not types <= {"integer", "double"}:
        raise NotComputable(f"{operator} takes numbers, not {' and '.join(sorted(types))}.")
    gives: Type = "integer" if types == {"integer"} and operator != "^" else "double"
    constants = (_known(left), _known(right))
    if None not in constants:
        return _computed(operator, *constants)  # type: ignore[arg-type]
    one, other = _operand(left), _operand(right)
    if operator == "/" and gives == "integer":
        # Data Pipeline cuts off what is behind the point, where Python's // would round down.
        return Deferred(f"({one} / {other}) | int", gives, is_simple=False)
    if operator == "^":
        return Deferred(f"({one} ** {other}) | float", gives, is_simple=False)
    return Deferred(f"{one} {operator} {other}", gives, is_simple=False)


def _computed(operator: str, left: int | float, right: int | float) -> int | float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "^":
        return float(left**right)
    if not right:
        raise NotComputable("it divides by zero.")
    return int(left / right) if isinstance(left, int) and isinstance(right, int) else left / right


def _known(atom: Atom) -> Plain | None:
    return atom.known if isinstance(atom, Deferred) else atom


def _operand(atom: Atom) -> str:
    if isinstance(atom, Deferred):
        return atom.operand
    if isinstance(atom, datetime):
        # Constants beside deferred values are numbers and texts in every function that there is.
        raise NotComputable("it mixes a fixed time with what a run knows.")
    return str(atom)


def _fitting(name: str, atom: Atom, wanted: Type) -> Atom:
    """An argument as the type that a function takes: texts that are numbers or times count as such."""
    known = _known(atom)
    try:
        if known is None:
            given = type_of(atom)
            if given == wanted or not isinstance(atom, Deferred):
                return atom
            if wanted != "integer":
                raise NotComputable(f"{name} takes a {wanted} where it gets a {given}.")
            return Deferred(f"{atom.operand} | int", "integer", is_simple=False)
        if wanted == "integer":
            return int(written(known))
        if wanted == "datetime":
            return known if isinstance(known, datetime) else as_time(written(known))
    except ValueError as error:
        raise NotComputable(f"{name} takes a {wanted}, and {written(known or '')!r} is none.") from error
    return written(known)


def as_time(text: str) -> datetime:
    """A DateTime as Data Pipeline writes it, in UTC.

    Raises:
        ValueError: the text is none.
    """
    time = datetime.fromisoformat(text.strip())
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _shift(sign: int, unit: str) -> Function:
    method = "add" if sign > 0 else "subtract"

    def compute(time: datetime, count: int) -> datetime:
        return periods.shifted(time, unit, sign * count)

    def code(time: str, count: str) -> str:
        return f"{time}.{method}({unit}s={count})"

    return Function(("datetime", "integer"), "datetime", compute, code)


def _shift_by_period(sign: int) -> Function:
    method = "add" if sign > 0 else "subtract"

    def compute(time: datetime, period: str) -> datetime:
        return periods.parse(period).after(time, sign)

    def code(time: str, period: str) -> str:
        ((unit, count),) = periods.parse(period).keywords.items()
        return f"{time}.{method}({unit}={count})"

    return Function(("datetime", "string"), "datetime", compute, code)


def _part(attribute: str) -> Function:
    return Function(("datetime",), "integer", lambda time: getattr(time, attribute), lambda time: f"{time}.{attribute}")


def _in_time_zone(time: datetime, zone: str) -> datetime:
    try:
        return time.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotComputable(f"{zone!r} is no time zone.") from error


_FIELDS = ("year", "month", "day", "hour", "minute")


def _made(count: int) -> Function:
    def code(*parts: str) -> str:
        said = ", ".join(f"{name}={part}" for name, part in zip(_FIELDS, parts, strict=False))
        rest = "" if count == 5 else ", hour=0, minute=0"
        return f"data_interval_start.set({said}{rest}, second=0, microsecond=0)"

    def compute(*parts: int) -> datetime:
        year, month, day, hour, minute = (*parts, 0, 0)[:5]
        return datetime(year, month, day, hour, minute, tzinfo=UTC)

    integer: Type = "integer"
    takes = (integer,) * count
    return Function(takes, "datetime", compute, code)


FUNCTIONS: dict[str, Function] = {
    "day": _part("day"),
    "month": _part("month"),
    "year": _part("year"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "dayOfYear": Function(
        ("datetime",), "integer", lambda time: time.timetuple().tm_yday, lambda time: f"{time}.day_of_year"
    ),
    # The time of day stays: the reference's example gives 2011-05-01T17:10:00.
    "firstOfMonth": Function(
        ("datetime",), "datetime", lambda time: time.replace(day=1), lambda time: f"{time}.set(day=1)"
    ),
    "midnight": Function(
        ("datetime",),
        "datetime",
        lambda time: time.replace(hour=0, minute=0, second=0, microsecond=0),
        lambda time: f"{time}.start_of('day')",
    ),
    "yesterday": Function(
        ("datetime",), "datetime", lambda time: time - timedelta(days=1), lambda time: f"{time}.subtract(days=1)"
    ),
    "sunday": Function(
        ("datetime",),
        "datetime",
        lambda time: time - timedelta(days=time.isoweekday() % 7),
        lambda time: f"{time}.subtract(days={time}.isoweekday() % 7)",
    ),
    "makeDate": _made(3),
    "makeDateTime": _made(5),
    "format": Function(("datetime", "string"), "string", joda.formatted, joda.jinja),
    "inTimeZone": Function(
        ("datetime", "string"), "datetime", _in_time_zone, lambda time, zone: f"{time}.in_timezone('{zone}')"
    ),
    "plusPeriod": _shift_by_period(1),
    "minusPeriod": _shift_by_period(-1),
    **{f"plus{unit.capitalize()}s": _shift(1, unit) for unit in periods.UNITS},
    **{f"minus{unit.capitalize()}s": _shift(-1, unit) for unit in periods.UNITS},
}
