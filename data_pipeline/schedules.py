"""When a pipeline runs: its schedules, each with the way in which it is read (`scheduleType`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from . import dependencies, periods
from .expressions import functions
from .expressions.scope import NotEvaluated, Runtime, Scope
from .model import Definition, PipelineObject
from .periods import Period
from .problems import Problem
from .run_values import Trigger

#: What the reference names for a schedule that begins when the pipeline is activated.
AT_ACTIVATION = ("FIRST_ACTIVATION_DATE_TIME", "ONDEMAND_ACTIVATION_TIME")
_ON_DEMAND_PERIOD = "ONDEMAND_PERIOD"
_SHORTEST, _LONGEST = Period(15, "minute"), Period(3, "year")
_CALL = re.compile(r"\w+\(.*\)")


@dataclass(frozen=True)
class Plan:
    """When an activity runs.

    `start` is the beginning of the first interval, None where only the activation decides it. `last` is the beginning
    of the last interval, `count` the number of intervals; both None for a pipeline that does not end.
    """

    trigger: Trigger
    schedule_id: str = ""
    period: Period | None = None
    start: datetime | None = None
    last: datetime | None = None
    count: int | None = None


def plan(definition: Definition, activity: PipelineObject) -> Plan:
    """When an activity of a definition without problems runs."""
    trigger = _trigger(activity)
    schedule = _schedule(definition, activity)
    if trigger is Trigger.ONDEMAND or schedule is None or _field(definition, schedule, "period") == _ON_DEMAND_PERIOD:
        return Plan(Trigger.ONDEMAND, schedule.id if schedule else "")
    period = periods.parse(_field(definition, schedule, "period") or "1 day")
    start = _time(definition, schedule, "startDateTime")
    if start is None and definition.activation is not None:
        start = definition.activation.first_activation
    occurrences = _field(definition, schedule, "occurrences")
    count = int(occurrences) if occurrences else None
    end = _time(definition, schedule, "endDateTime")
    last = None
    if start is not None and count is not None:
        last = period.after(start, count - 1)
    elif start is not None and end is not None:
        last = _last_before(start, end, period)
    return Plan(trigger, schedule.id, period, start, last, count)


def problems(definition: Definition) -> list[Problem]:
    """What is wrong with the schedules and with the way that activities use them."""
    found = [problem for schedule in definition.of_type("Schedule") for problem in _of_schedule(definition, schedule)]
    for activity in dependencies.activities(definition):
        said = activity.text("scheduleType")
        if said and said.lower() not in {trigger.value for trigger in Trigger}:
            message = f"{said!r} is no schedule type; there are cron, timeseries and ondemand."
            found.append(Problem(activity.origin("scheduleType"), "scheduleType", message))
        elif _trigger(activity) is not Trigger.ONDEMAND and _schedule(definition, activity) is None:
            message = "it has no schedule, neither its own nor its parent's; name one, or make scheduleType ondemand."
            found.append(Problem(activity.id, "schedule", message))
    return found


def _of_schedule(definition: Definition, schedule: PipelineObject) -> Iterator[Problem]:
    text = _field(definition, schedule, "period")
    if text == _ON_DEMAND_PERIOD:
        return
    if text is not None:
        try:
            period = periods.parse(text)
        except periods.NotAPeriod as error:
            yield Problem(schedule.id, "period", str(error))
        else:
            if not _SHORTEST.seconds <= period.seconds <= _LONGEST.seconds:
                yield Problem(schedule.id, "period", f"{text!r} is outside what there is: 15 minutes to 3 years.")
    start_at = _field(definition, schedule, "startAt")
    if start_at and start_at.upper() not in AT_ACTIVATION:
        yield Problem(schedule.id, "startAt", f"{start_at!r} is no beginning; there is {AT_ACTIVATION[0]}.")
    times = {}
    for name in ("startDateTime", "endDateTime"):
        try:
            times[name] = _time(definition, schedule, name)
        except (ValueError, NotEvaluated) as error:
            yield Problem(schedule.id, name, f"it is no time such as 2024-03-03T02:30:00: {error}.")
    start, end = times.get("startDateTime"), times.get("endDateTime")
    if start is not None and end is not None and end <= start:
        yield Problem(schedule.id, "endDateTime", "it is not later than startDateTime.")
    occurrences = _field(definition, schedule, "occurrences")
    if occurrences:
        if schedule.text("endDateTime"):
            yield Problem(schedule.id, "occurrences", "a schedule has either occurrences or endDateTime.")
        if not occurrences.strip().isdigit() or not int(occurrences):
            yield Problem(schedule.id, "occurrences", f"{occurrences!r} is no number of runs.")


def _trigger(activity: PipelineObject) -> Trigger:
    """How an activity's schedule is read; the service's own choice is the end of the interval."""
    said = (activity.text("scheduleType") or "").lower()
    return next((trigger for trigger in Trigger if trigger.value == said), Trigger.TIMESERIES)


def _schedule(definition: Definition, activity: PipelineObject) -> PipelineObject | None:
    for schedule_id in dependencies.referred(activity, "schedule"):
        found = definition.objects.get(schedule_id)
        if found is not None and found.type == "Schedule":
            return found
    return None


def _field(definition: Definition, schedule: PipelineObject, name: str) -> str | None:
    """A field's text where it is fixed; None where it is missing, has no value, or cannot be evaluated."""
    unknown = {name: name for name, found in definition.parameters.items() if found.is_secret or not found.values}
    scope = Scope(definition, schedule, Runtime({}, unknown))
    try:
        texts = scope.evaluated(name)
    except NotEvaluated:
        # It is reported where the fields are checked.
        return None
    return texts[0].fixed if texts else None


def _time(definition: Definition, schedule: PipelineObject, name: str) -> datetime | None:
    """A field's time in UTC.

    Raises:
        ValueError: it is none.
        expressions.scope.NotEvaluated: it is a call that cannot be computed.
    """
    text = _field(definition, schedule, name)
    if text is None:
        return None
    if _CALL.fullmatch(text):
        # The reference's example: "startDateTime": "makeDate(2011,5,24)".
        text = Scope(definition, schedule, Runtime({})).texts(f"#{{{text}}}")[0].fixed or ""
    return functions.as_time(text)


def _last_before(start: datetime, end: datetime, period: Period) -> datetime:
    """The beginning of the last interval that begins before `end`."""
    times = int((end - start).total_seconds() // period.seconds)
    # Months and years are not so many seconds: step to the right one from near it.
    times = max(times - 2, 0)
    while period.after(start, times + 1) < end:
        times += 1
    return period.after(start, times)
