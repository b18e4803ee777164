"""Every function and operator of Data Pipeline's reference, with the value that the reference documents.

Each is computed twice: as a constant, and as the Jinja that a DAG run renders, on a time that has pendulum's methods.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jinja2
import pytest

from data_pipeline import periods
from data_pipeline.expressions import functions
from data_pipeline.expressions.functions import FUNCTIONS, NotComputable
from data_pipeline.expressions.scope import Runtime, Scope
from data_pipeline.expressions.values import Deferred, Plain

from .definitions import SHELL, definition

# The reference's examples are about this time.
MY_DATE_TIME = datetime(2011, 5, 24, 17, 10, tzinfo=UTC)


class PendulumLike(datetime):
    """What the translated expressions use of pendulum's DateTime, which Airflow has and we have not."""

    @classmethod
    def of(cls, time: datetime) -> PendulumLike:
        return cls(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=time.tzinfo)

    @property
    def day_of_year(self) -> int:
        return self.timetuple().tm_yday

    def add(self, **units: int) -> PendulumLike:
        time: datetime = self
        for unit, count in units.items():
            time = periods.shifted(time, unit.removesuffix("s"), count)
        return self.of(time)

    def subtract(self, **units: int) -> PendulumLike:
        return self.add(**{unit: -count for unit, count in units.items()})

    def set(self, **fields: int) -> PendulumLike:
        return self.of(self.replace(**fields))  # type: ignore[arg-type]

    def start_of(self, unit: str) -> PendulumLike:
        assert unit == "day"
        return self.set(hour=0, minute=0, second=0)

    def in_timezone(self, zone: str) -> PendulumLike:
        return self.of(functions._in_time_zone(self, zone))


def evaluated(expression: str, **values: Deferred | Plain) -> Plain | Deferred:
    found = definition(SHELL | {"myDateTime": MY_DATE_TIME.isoformat()} if not values else SHELL)
    deferred = {name: value for name, value in values.items() if isinstance(value, Deferred)}
    (text,) = Scope(found, found.objects["Hello"], Runtime(deferred)).texts(f"#{{{expression}}}")
    return text.atom


def rendered(code: str) -> Any:
    """The value of an expression in Jinja, for a run whose interval begins at the reference's time."""
    compiled = jinja2.Environment(autoescape=True).compile_expression(code)
    return compiled(data_interval_start=PendulumLike.of(MY_DATE_TIME))


#: From the tables of AWS's reference, in their order.
DOCUMENTED = [
    ("day(myDateTime)", "24"),
    ("dayOfYear(myDateTime)", "144"),
    ("firstOfMonth(myDateTime)", "2011-05-01T17:10:00"),
    # The reference prints a T between date and time here, which its own pattern does not have.
    ("format(myDateTime,'YYYY-MM-dd HH:mm:ss z')", "2011-05-24 17:10:00 UTC"),
    ("hour(myDateTime)", "17"),
    ("makeDate(2011,5,24)", "2011-05-24T00:00:00"),
    ("makeDateTime(2011,5,24,14,21)", "2011-05-24T14:21:00"),
    ("midnight(myDateTime)", "2011-05-24T00:00:00"),
    ("minusDays(myDateTime,1)", "2011-05-23T17:10:00"),
    ("minusHours(myDateTime,1)", "2011-05-24T16:10:00"),
    ("minusMinutes(myDateTime,1)", "2011-05-24T17:09:00"),
    ("minusMonths(myDateTime,1)", "2011-04-24T17:10:00"),
    ("minusWeeks(myDateTime,1)", "2011-05-17T17:10:00"),
    ("minusYears(myDateTime,1)", "2010-05-24T17:10:00"),
    ("minute(myDateTime)", "10"),
    ("month(myDateTime)", "5"),
    ("plusDays(myDateTime,1)", "2011-05-25T17:10:00"),
    ("plusHours(myDateTime,1)", "2011-05-24T18:10:00"),
    ("plusMinutes(myDateTime,1)", "2011-05-24T17:11:00"),
    ("plusMonths(myDateTime,1)", "2011-06-24T17:10:00"),
    ("plusWeeks(myDateTime,1)", "2011-05-31T17:10:00"),
    ("plusYears(myDateTime,1)", "2012-05-24T17:10:00"),
    ("sunday(myDateTime)", "2011-05-22T17:10:00"),
    ("year(myDateTime)", "2011"),
    ("yesterday(myDateTime)", "2011-05-23T17:10:00"),
    # In the reference's examples only.
    ('plusPeriod(myDateTime, "1 day")', "2011-05-25T17:10:00"),
    ('minusPeriod(myDateTime, "2 hours")', "2011-05-24T15:10:00"),
    ("format(minusMinutes(myDateTime,30),'YYYY-MM-dd hh:mm:ss')", "2011-05-24 04:40:00"),
    ("myDateTime.format('YYYY-MM-dd-hh:mm')", "2011-05-24-05:10"),
    ("format(inTimeZone(myDateTime,'America/Los_Angeles'),'HH:mm Z')", "10:10 -0700"),
]


@pytest.mark.parametrize(("expression", "expected"), DOCUMENTED)
def test_a_constant_has_the_documented_value(expression: str, expected: str) -> None:
    found = definition(SHELL | {"myDateTime": "2011-05-24T17:10:00", "myValue": f"#{{{expression}}}"})
    (text,) = Scope(found, found.objects["Hello"], Runtime({})).evaluated("myValue")
    assert text.fixed == expected


@pytest.mark.parametrize(("expression", "expected"), DOCUMENTED)
def test_the_jinja_has_the_documented_value(expression: str, expected: str) -> None:
    start = Deferred("data_interval_start", "datetime")
    value = evaluated(expression.replace("myDateTime", "@scheduledStartTime"), scheduledStartTime=start)
    if not isinstance(value, Deferred):
        assert expression.startswith("make")
        return
    assert str(rendered(value.printed)) == expected


def test_every_function_is_documented_here() -> None:
    assert {name for name in FUNCTIONS if not any(name in expression for expression, _ in DOCUMENTED)} == set()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2", 3),
        ("1 - 2", -1),
        ("1 * 2", 2),
        ("1 / 2", 0),
        ("1.0 / 2", 0.5),
        ("2 ^ 2", 4.0),
        ('"hel" + "lo"', "hello"),
        # Not in the reference: precedence, brackets, signs, and division towards zero.
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-7 / 2", -3),
        ("2 ^ 3 ^ 2", 512.0),
        ("'a' + 1", "a1"),
        ("1 + 'a'", "1a"),
    ],
)
def test_an_operator_has_the_documented_value(expression: str, expected: Plain) -> None:
    value = evaluated(expression)
    assert not isinstance(value, Deferred)
    assert value == str(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("day(@scheduledStartTime) + 1", 25),
        ("day(@scheduledStartTime) * 2 - 1", 47),
        ("(0 - day(@scheduledStartTime)) / 7", -3),
        ("day(@scheduledStartTime) / 7.0", 24 / 7),
        ("day(@scheduledStartTime) ^ 2", 576.0),
        ("'d' + day(@scheduledStartTime)", "d24"),
        ("plusDays(@scheduledStartTime, day(@scheduledStartTime))", datetime(2011, 6, 17, 17, 10, tzinfo=UTC)),
        ("makeDate(year(@scheduledStartTime), 1, 1)", datetime(2011, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_operator_on_what_a_run_knows(expression: str, expected: object) -> None:
    value = evaluated(expression, scheduledStartTime=Deferred("data_interval_start", "datetime"))
    assert isinstance(value, Deferred)
    assert rendered(value.code) == expected


def test_the_shorter_month_ends_on_its_last_day() -> None:
    assert functions.call("plusMonths", [datetime(2024, 1, 31, tzinfo=UTC), 1]) == datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("makeDate", [2011, 13, 1], "month must be in"),
        ("plusPeriod", [MY_DATE_TIME, "1 moon"], "not a period"),
        ("inTimeZone", [MY_DATE_TIME, "Mars/Olympus"], "no time zone"),
        ("plusYears", [MY_DATE_TIME, 99999], "plusYears"),
        ("format", [MY_DATE_TIME, "'open"], "quote that is not closed"),
    ],
)
def test_says_what_it_cannot_compute(name: str, arguments: list[Plain], message: str) -> None:
    with pytest.raises(NotComputable, match=message):
        functions.call(name, arguments)


def test_division_by_zero() -> None:
    with pytest.raises(NotComputable, match="divides by zero"):
        functions.operate("/", 1, 0)


def test_sunday_of_a_sunday_is_that_day() -> None:
    sunday = datetime(2011, 5, 22, 17, 10, tzinfo=UTC)
    assert functions.call("sunday", [sunday]) == sunday
    assert functions.call("sunday", [sunday - timedelta(days=1)]) == sunday - timedelta(days=7)
