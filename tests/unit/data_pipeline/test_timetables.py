"""When a DAG runs: the timetable of a plan, and its first and last run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data_pipeline import checking, periods, python_code, schedules, timetables
from data_pipeline.airflow_names import AirflowNames
from data_pipeline.periods import NotAPeriod, Period
from data_pipeline.run_values import Trigger
from data_pipeline.schedules import Plan

from .definitions import SHELL, definition

START = datetime(2024, 3, 3, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15 minutes", Period(15, "minute")),
        ("1 Day", Period(1, "day")),
        ("2 weeks", Period(2, "week")),
        (" 3 YEARS ", Period(3, "year")),
    ],
)
def test_a_period(text: str, expected: Period) -> None:
    assert periods.parse(text) == expected


@pytest.mark.parametrize("text", ["15 Period", "day", "1.5 days", "-1 day", "0 days", "", "1day"])
def test_no_period(text: str) -> None:
    with pytest.raises(NotAPeriod, match="write a whole number"):
        periods.parse(text)


@pytest.mark.parametrize(
    ("period", "start", "expected"),
    [
        (Period(15, "minute"), START, "*/15 * * * *"),
        (Period(20, "minute"), START.replace(minute=5), "5,25,45 * * * *"),
        (Period(45, "minute"), START, None),
        (Period(60, "minute"), START, "30 * * * *"),
        (Period(6, "hour"), START, "30 2,8,14,20 * * *"),
        (Period(5, "hour"), START, None),
        (Period(1, "day"), START, "30 2 * * *"),
        (Period(24, "hour"), START, "30 2 * * *"),
        (Period(2, "day"), START, None),
        (Period(1, "week"), START, "30 2 * * 0"),
        (Period(7, "day"), START, "30 2 * * 0"),
        (Period(2, "week"), START, None),
        (Period(1, "month"), START, "30 2 3 * *"),
        (Period(3, "month"), START, "30 2 3 3,6,9,12 *"),
        (Period(1, "month"), START.replace(day=31), None),
        (Period(5, "month"), START, None),
        (Period(1, "year"), START, "30 2 3 3 *"),
        (Period(2, "year"), START, None),
        (Period(1, "day"), START.replace(second=5), None),
    ],
)
def test_the_cron_expression(period: Period, start: datetime, expected: str | None) -> None:
    assert timetables.cron(period, start) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(Trigger.CRON, "S", Period(1, "day"), START), 'CronTriggerTimetable("30 2 * * *", timezone="UTC")'),
        (
            Plan(Trigger.TIMESERIES, "S", Period(1, "day"), START),
            'CronDataIntervalTimetable("30 2 * * *", timezone="UTC")',
        ),
        (Plan(Trigger.CRON, "S", Period(5, "day"), START), "DeltaTriggerTimetable(delta=timedelta(days=5))"),
        (
            Plan(Trigger.TIMESERIES, "S", Period(5, "month"), START),
            "DeltaDataIntervalTimetable(delta=relativedelta(months=5))",
        ),
        (Plan(Trigger.ONDEMAND), "None"),
        (Plan(Trigger.CRON, "S", Period(1, "day"), START, START, 1), '"@once"'),
        # Running once at its activation is running when it is triggered.
        (Plan(Trigger.CRON, "S", Period(1, "day"), None, None, 1), "None"),
    ],
)
def test_the_timetable(plan: Plan, expected: str) -> None:
    found = timetables.timetable(plan, START, AirflowNames((2, 11, 2)))
    assert python_code.source(found.schedule) == expected


def planned(**schedule: str) -> Plan:
    daily = {"id": "Daily", "type": "Schedule", "period": "1 day", "startDateTime": "2024-03-03T02:30:00", **schedule}
    found, problems = checking.resolved(definition(SHELL, daily))
    assert problems == []
    return schedules.plan(found, found.objects["Hello"])


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        ({}, None),
        ({"occurrences": "3"}, START + timedelta(days=2)),
        # The interval that begins at the end is no longer one.
        ({"endDateTime": "2024-03-06T02:30:00"}, START + timedelta(days=2)),
        ({"endDateTime": "2024-03-06T02:31:00"}, START + timedelta(days=3)),
        ({"endDateTime": "2024-03-03T12:00:00"}, START),
        ({"period": "1 month", "endDateTime": "2034-03-03T02:30:00"}, datetime(2034, 2, 3, 2, 30, tzinfo=UTC)),
    ],
)
def test_the_last_run(schedule: dict[str, str], last: datetime | None) -> None:
    assert planned(**schedule).last == last


def test_a_start_can_be_a_call() -> None:
    assert planned(startDateTime="makeDate(2011,5,24)").start == datetime(2011, 5, 24, tzinfo=UTC)


def test_an_activity_may_be_on_demand_by_its_schedule() -> None:
    assert planned(period="ONDEMAND_PERIOD", startAt="ONDEMAND_ACTIVATION_TIME").trigger is Trigger.ONDEMAND


def test_the_services_own_style_is_time_series() -> None:
    found, _ = checking.resolved(definition({"id": "Default", "schedule": {"ref": "Daily"}}, SHELL))
    assert schedules.plan(found, found.objects["Hello"]).trigger is Trigger.TIMESERIES
