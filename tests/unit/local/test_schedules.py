"""When a schedule fires."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from local.aws.schedules import next_time

MADE = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@dataclass
class Kept:
    """A schedule as moto keeps it."""

    schedule_expression: str
    schedule_expression_timezone: str = "UTC"
    arn: str = "arn"
    name: str = "name"
    state: str = "ENABLED"
    target: dict[str, Any] = field(default_factory=dict)
    last_modified_date: float = MADE.timestamp()


@pytest.mark.parametrize(
    ("expression", "zone", "fired", "due"),
    [
        ("rate(1 hour)", "UTC", None, "2026-11-25T04:00:00+00:00"),
        ("rate(5 minutes)", "UTC", LATER, "2026-11-25T09:05:00+00:00"),
        ("rate(2 days)", "UTC", datetime(2026, 11, 1, tzinfo=UTC), "2026-11-27T03:00:00+00:00"),
        ("at(2026-11-25T12:00:00)", "UTC", None, "2026-11-25T12:00:00+00:00"),
        ("at(2026-07-25T12:00:00)", "Europe/Paris", None, "2026-07-25T12:00:00+02:00"),
        ("at(2026-11-25T12:00:00)", "UTC", LATER, None),
        ("cron(0 3 ? * SUN *)", "UTC", None, "2026-11-29T03:00:00+00:00"),
        ("cron(0 3 ? * 1 *)", "Europe/Paris", None, "2026-11-29T03:00:00+01:00"),
        # In Paris it is four o'clock when the schedule is made.
        ("cron(30 3 * * ? *)", "Europe/Paris", None, "2026-11-26T03:30:00+01:00"),
        ("cron(0/15 8-17 ? * MON-FRI *)", "UTC", LATER, "2026-11-25T09:15:00+00:00"),
        ("cron(0 3 L * ? *)", "UTC", None, "2026-11-30T03:00:00+00:00"),
        ("cron(0 3 1W AUG ? *)", "UTC", None, "2027-08-02T03:00:00+00:00"),
        ("cron(0 3 ? * 6L *)", "UTC", None, "2026-11-27T03:00:00+00:00"),
        ("cron(0 3 ? * MON#1 *)", "UTC", None, "2026-12-07T03:00:00+00:00"),
        ("cron(0 3 1 1 ? 2030)", "UTC", None, "2030-01-01T03:00:00+00:00"),
        ("cron(0 3 1 1 ? 2020)", "UTC", None, None),
        # From two to three the clocks of Paris go forward on 2027-03-28 and back on 2026-10-25.
        ("cron(30 2 * * ? *)", "Europe/Paris", datetime(2027, 3, 27, 12, 0, tzinfo=UTC), "2027-03-29T02:30:00+02:00"),
    ],
)
def test_next_time(expression: str, zone: str, fired: datetime | None, due: str | None) -> None:
    found = next_time(Kept(expression, zone), fired)
    assert found == (datetime.fromisoformat(due) if due else None)


def test_a_time_that_clocks_show_twice_is_taken_once() -> None:
    made = datetime(2026, 10, 24, 12, 0, tzinfo=UTC).timestamp()
    schedule = Kept("cron(30 2 * * ? *)", "Europe/Paris", last_modified_date=made)
    first = next_time(schedule, None)
    assert first == datetime.fromisoformat("2026-10-25T02:30:00+02:00")
    assert next_time(schedule, first) == datetime.fromisoformat("2026-10-26T02:30:00+01:00")


@pytest.mark.parametrize(
    ("fields", "message"),
    [("0 3 * * *", "6 required"), ("0 3 * * * *", "must be a question mark"), ("0 25 * * ? *", "'25'")],
)
def test_what_aws_would_refuse(fields: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next_time(Kept(f"cron({fields})"), None)
