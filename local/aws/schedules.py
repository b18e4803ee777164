"""Fires the schedules of EventBridge Scheduler, which moto only stores.

Targets are state machines and functions, started with the schedule's role, so that its policies count. A `rate(...)`
fires for the first time one period after the schedule was made or changed. There is no flexible time window and no
retry: what cannot be started goes to the schedule's dead-letter queue at once.
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
_CHECK_SECONDS = 0.5


class Schedule(Protocol):
    """The part of moto's schedules that is read here."""

    arn: str
    name: str
    state: str
    schedule_expression: str
    schedule_expression_timezone: str
    target: dict[str, Any]
    last_modified_date: float


def next_time(schedule: Schedule, fired: datetime | None) -> datetime | None:
    """When a schedule fires next; None for never.

    Args:
        fired: when it fired last.

    Raises:
        ValueError: its expression cannot be read.
    """
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
    """The next time by a zone's clocks; one that they skip is skipped, and one that they show twice counts once.

    Both as in EventBridge Scheduler's user guide ("Daylight savings time on EventBridge Scheduler").

    Raises:
        ValueError: `fields` are not six, or mean nothing.
    """
    # The library reckons on a clock without a zone, and calls that UTC.
    clock = after.astimezone(zone).replace(tzinfo=UTC)
    while (clock := AwsCroniter(fields).get_next(clock)[0]) is not None:
        due: datetime = clock.replace(tzinfo=zone).astimezone(UTC)
        exists = due.astimezone(zone).replace(tzinfo=UTC) == clock
        if exists and due > after:
            return due
    return None


class Schedules:
    """The schedules of one local AWS, checked twice a second."""

    def __init__(self, identities: Identities, region: str, client: Callable[[str, Credentials], Any]) -> None:
        self._identities = identities
        self._region = region
        self._client = client
        self._fired: dict[str, datetime] = {}
        self._repeating = Repeating(lambda: self.fire(datetime.now(UTC)), _CHECK_SECONDS, "schedules")

    def start(self) -> None:
        """Does nothing where it has started."""
        self._repeating.start()

    def stop(self) -> None:
        self._repeating.stop()

    def fire(self, now: datetime) -> None:
        """Starts the targets that are due at that time."""
        backend = scheduler_backends[self._identities.account][self._region]
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                try:
                    due = next_time(schedule, self._fired.get(schedule.arn))
                except ValueError as error:
                    # AWS refuses it when the schedule is made; moto does not.
                    logger.warning("the schedule %s cannot be read: %s", schedule.name, error)
                    continue
                if schedule.state == "ENABLED" and due is not None and due <= now:
                    self._fired[schedule.arn] = now
                    self._start(schedule)

    def _start(self, schedule: Schedule) -> None:
        target = schedule.target
        try:
            credentials = self._identities.assume_role(target["RoleArn"], schedule.name)
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
                self._send_to_dead_letters(queue.rsplit(":", 1)[-1], target.get("Input", "{}"), credentials)

    def _send_to_dead_letters(self, queue: str, message: str, credentials: Credentials) -> None:
        sqs = self._client("sqs", credentials)
        account = self._identities.account
        try:
            sqs.send_message(QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{queue}", MessageBody=message)
        except ClientError as error:
            logger.warning("the dead-letter queue %s did not take the message: %s", queue, error)
