"""Fires EventBridge Scheduler's schedules, which moto only keeps.

Of `rate(...)` the first time is one period after the schedule was made or changed. Targets are state machines and
functions; they are started as the schedule's role, so that its policies count. There is no flexible
time window, and no second try: what cannot be started goes to the schedule's dead-letter queue at once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]
from botocore.exceptions import ClientError
from moto.scheduler.models import scheduler_backends

from local.aws.iam.identity import Credentials, Identities, RoleNotFound
from local.aws.repeating import Repeating

logger = logging.getLogger(__name__)

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((.+)\)")
_LOOKS_SECONDS = 0.5


class Schedule(Protocol):
    """What is read of moto's schedules."""

    arn: str
    name: str
    state: str
    schedule_expression: str
    schedule_expression_timezone: str
    target: dict[str, Any]
    last_modified_date: float


def next_time(schedule: Schedule, fired: datetime | None) -> datetime | None:
    """When a schedule fires, after it has `fired` last; None for never."""
    expression, zone = schedule.schedule_expression, ZoneInfo(schedule.schedule_expression_timezone)
    changed = datetime.fromtimestamp(schedule.last_modified_date, UTC)
    after = max(fired or changed, changed)
    if rate := _RATE.fullmatch(expression):
        return after + timedelta(**{f"{rate[2]}s": int(rate[1])})
    if at := _AT.fullmatch(expression):
        return None if fired else datetime.fromisoformat(at[1]).replace(tzinfo=zone)
    if cron := _CRON.fullmatch(expression):
        return _next_of_cron(cron[1], zone, after)
    return None


def _next_of_cron(fields: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The next time on the clocks of a zone. One that they skip is skipped, one that they show twice is taken once.

    Both as EventBridge Scheduler's user guide has it (schedule types, daylight savings time).

    Raises:
        ValueError: `fields` are not six, or mean nothing.
    """
    # The library counts on a clock without a zone, which it wants to be called UTC.
    clock = after.astimezone(zone).replace(tzinfo=UTC)
    while (clock := AwsCroniter(fields).get_next(clock)[0]) is not None:
        due: datetime = clock.replace(tzinfo=zone).astimezone(UTC)
        exists = due.astimezone(zone).replace(tzinfo=UTC) == clock
        if exists and due > after:
            return due
    return None


class Schedules:
    """The schedules of one local AWS, looked at twice a second."""

    def __init__(self, identities: Identities, region: str, client: Callable[[str, Credentials], Any]) -> None:
        self._identities = identities
        self._region = region
        self._client = client
        self._fired: dict[str, datetime] = {}
        self._looking = Repeating(lambda: self.fire(datetime.now(UTC)), _LOOKS_SECONDS, "schedules")

    def start(self) -> None:
        """Begins to look, unless it does already."""
        self._looking.start()

    def stop(self) -> None:
        self._looking.stop()

    def fire(self, now: datetime) -> None:
        """Starts what is due."""
        backend = scheduler_backends[self._identities.account][self._region]
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                try:
                    due = next_time(schedule, self._fired.get(schedule.arn))
                except ValueError as error:
                    # AWS refuses it when the schedule is made, moto does not.
                    logger.warning("the schedule %s cannot be read: %s", schedule.name, error)
                    continue
                if schedule.state == "ENABLED" and due is not None and due <= now:
                    self._fired[schedule.arn] = now
                    self._start(schedule)

    def _start(self, schedule: Schedule) -> None:
        target = schedule.target
        try:
            credentials = self._identities.session(target["RoleArn"], schedule.name)
        except RoleNotFound as error:
            logger.warning("the schedule %s could not start its target: %s", schedule.name, error)
            return
        try:
            if ":stateMachine:" in target["Arn"]:
                self._client("stepfunctions", credentials).start_execution(
                    stateMachineArn=target["Arn"], input=target.get("Input", "{}")
                )
            else:
                self._client("lambda", credentials).invoke(
                    FunctionName=target["Arn"], InvocationType="Event", Payload=target.get("Input", "{}").encode()
                )
        except ClientError as error:
            logger.warning("the schedule %s could not start its target: %s", schedule.name, error)
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue is not None:
                self._bury(queue.rsplit(":", 1)[-1], target.get("Input", "{}"), credentials)

    def _bury(self, queue: str, message: str, credentials: Credentials) -> None:
        sqs = self._client("sqs", credentials)
        account = self._identities.account
        try:
            sqs.send_message(QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{queue}", MessageBody=message)
        except ClientError as error:
            logger.warning("the dead-letter queue %s took nothing: %s", queue, error)
