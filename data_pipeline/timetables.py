"""When the DAG runs: a plan as an Airflow timetable, with its first and last run.

Data Pipeline's cron style starts a run at the beginning of its interval, which is what Airflow's trigger timetables do;
its time series style starts it at the end, which is what Airflow's data intervals are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .airflow_names import AirflowNames
from .periods import Period
from .python_code import Call, Code
from .run_values import Trigger
from .schedules import Plan

_MINUTES_IN_HOUR, _HOURS_IN_DAY, _MONTHS_IN_YEAR = 60, 24, 12
#: The fewest days that a month has.
_SHORTEST_MONTH = 28


@dataclass(frozen=True)
class Timetable:
    """A DAG's `schedule`, and in words what it does."""

    schedule: Call | Code | None
    words: str


def timetable(plan: Plan, start: datetime, names: AirflowNames) -> Timetable:
    """The timetable of a plan whose runs begin at `start` and its periods after it."""
    if plan.trigger is Trigger.ONDEMAND or plan.period is None:
        return Timetable(None, "when somebody triggers it")
    at_start = plan.trigger is Trigger.CRON
    if plan.count == 1:
        return _once(plan, plan.period, names)
    when = "at the beginning of each interval" if at_start else "at the end of each interval"
    expression = cron(plan.period, start)
    module = names.trigger_timetables if at_start else names.interval_timetables
    if expression is not None:
        name = "CronTriggerTimetable" if at_start else "CronDataIntervalTimetable"
        source = f'{name}("{expression}", timezone="UTC")'
        return Timetable(Code(source, ((module, name),)), f"{_every(plan.period)}, {when} (cron {expression})")
    name = "DeltaTriggerTimetable" if at_start else "DeltaDataIntervalTimetable"
    argument = {"delta": plan.period}
    return Timetable(Call(module, name, argument), f"{_every(plan.period)} from its start, {when}")


def _every(period: Period) -> str:
    return f"every {period.unit}" if period.count == 1 else f"every {period}"


def _once(plan: Plan, period: Period, names: AirflowNames) -> Timetable:
    if plan.start is None:
        # The reference calls this deprecated in favour of on-demand pipelines: activating it is triggering the DAG.
        return Timetable(None, "when somebody triggers it: once per activation")
    if plan.trigger is Trigger.CRON:
        return Timetable(Code('"@once"'), "once")
    delta = Call(names.interval_timetables, "DeltaDataIntervalTimetable", {"delta": period})
    return Timetable(delta, "once, at the end of its interval")


def runs_once_when_triggered(plan: Plan) -> bool:
    """Whether a plan is a single run that begins with its activation."""
    return plan.trigger is Trigger.ONDEMAND or (plan.count == 1 and plan.start is None)


def cron(period: Period, start: datetime) -> str | None:
    """A cron expression with a run at `start` and at each period after it; None where cron has none.

    Cron counts from the hour, the day or the year: 20 minutes divide an hour, 45 do not.
    """
    minute, hour, day, month = start.minute, start.hour, start.day, start.month
    if start.second:
        return None
    count, unit = period.count, period.unit
    if unit == "minute" and count % _MINUTES_IN_HOUR == 0:
        count, unit = count // _MINUTES_IN_HOUR, "hour"
    if unit == "hour" and count % _HOURS_IN_DAY == 0:
        count, unit = count // _HOURS_IN_DAY, "day"
    if unit == "day" and count == 7:
        count, unit = 1, "week"
    if unit == "minute" and _MINUTES_IN_HOUR % count == 0:
        return f"{_steps(minute, count, _MINUTES_IN_HOUR)} * * * *"
    if unit == "hour" and _HOURS_IN_DAY % count == 0:
        return f"{minute} {_steps(hour, count, _HOURS_IN_DAY)} * * *"
    if unit == "day" and count == 1:
        return f"{minute} {hour} * * *"
    if unit == "week" and count == 1:
        return f"{minute} {hour} * * {start.isoweekday() % 7}"
    if day > _SHORTEST_MONTH:
        return None
    if unit == "month" and _MONTHS_IN_YEAR % count == 0:
        return f"{minute} {hour} {day} {_steps(month - 1, count, _MONTHS_IN_YEAR, first=1)} *"
    if unit == "year" and count == 1:
        return f"{minute} {hour} {day} {month} *"
    return None


def _steps(value: int, step: int, size: int, first: int = 0) -> str:
    """A cron field with `value` and every step from it, around a range of `size`."""
    values = sorted((value + number * step) % size + first for number in range(size // step))
    if step == 1:
        return "*"
    if values[0] == first:
        return f"*/{step}"
    return ",".join(map(str, values))
