"""Data Pipeline's periods: `15 minutes`, `1 Day`, `2 weeks`."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

UNITS = ("minute", "hour", "day", "week", "month", "year")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 30 * 86400, "year": 365 * 86400}
_PERIOD = re.compile(rf"\s*(\d+)\s+({'|'.join(UNITS)})s?\s*", re.IGNORECASE)


class NotAPeriod(Exception):
    """A text is not a period."""


@dataclass(frozen=True)
class Period:
    """A number of one unit (singular, lower case)."""

    count: int
    unit: str

    @property
    def is_calendar(self) -> bool:
        """Whether its length depends on the date: months and years."""
        return self.unit in ("month", "year")

    @property
    def seconds(self) -> int:
        """Its length, with months of 30 days and years of 365."""
        return self.count * _SECONDS[self.unit]

    @property
    def keywords(self) -> dict[str, int]:
        """The arguments that say it to timedelta, relativedelta and pendulum's add."""
        return {f"{self.unit}s": self.count}

    def timedelta(self) -> timedelta:
        """Its length, with months of 30 days and years of 365."""
        return timedelta(seconds=self.seconds)

    def after(self, time: datetime, times: int = 1) -> datetime:
        """The time that is so many periods later; the last day of a month where it is shorter."""
        return shifted(time, self.unit, self.count * times)

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"


def parse(text: str) -> Period:
    """The period that a text says.

    Raises:
        NotAPeriod: it says none; the message says what one looks like.
    """
    match = _PERIOD.fullmatch(text)
    if match is None or not int(match[1]):
        raise NotAPeriod(
            f"{text!r} is not a period: write a whole number and one of {', '.join(f'{unit}s' for unit in UNITS)}, "
            "such as `15 minutes`."
        )
    return Period(int(match[1]), match[2].lower())


def shifted(time: datetime, unit: str, count: int) -> datetime:
    """A time so many units later (earlier, where negative); the last day of a month where that is shorter."""
    if unit not in ("month", "year"):
        return time + timedelta(seconds=count * _SECONDS[unit])
    months = time.year * 12 + time.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return time.replace(year=year, month=month + 1, day=min(time.day, calendar.monthrange(year, month + 1)[1]))
