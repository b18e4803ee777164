"""When a schedule fires."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from local.schedules import next_time

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
        ("cron(0 3 ? * SUN *)", "UTC", None, None),
    ],
)
def test_next_time(expression: str, zone: str, fired: datetime | None, due: str | None) -> None:
    found = next_time(Kept(expression, zone), fired)
    assert found == (datetime.fromisoformat(due) if due else None)
