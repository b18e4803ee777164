"""Whether an alarm reaches the stack's topic, which is encrypted: CloudWatch needs rights on the key for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

ALARM = Check(
    "alarm",
    "Does an alarm get through the encrypted topic?",
    "CloudWatch has published to it",
    "A migration that fails raises an alarm that nobody gets. If the stack was given KeyArn, let that key's policy "
    "allow cloudwatch.amazonaws.com kms:Decrypt and kms:GenerateDataKey.",
    stops=False,
)
CHECKS = (ALARM,)

_REASON = "mwaa-migrator doctor tries whether alarms arrive; there is nothing to do"
_ABOUT = "topic"
_SECONDS = 60.0
_PAUSE = 2.0


def raise_alarm(
    cloudwatch: CloudWatchClient, topic: str, wait: Callable[[float], None] = time.sleep
) -> Iterator[Finding]:
    """Raises one of the topic's alarms, checks what came of it, and puts the alarm back as it was."""
    yield from asking(ALARM, _ABOUT, lambda: _alarm(cloudwatch, topic, wait))


def _alarm(cloudwatch: CloudWatchClient, topic: str, wait: Callable[[float], None]) -> Finding:
    alarms = cloudwatch.describe_alarms(ActionPrefix=topic)["MetricAlarms"]
    # One that is raised already would not act again.
    quiet = next((alarm for alarm in alarms if alarm["StateValue"] != "ALARM"), None)
    if quiet is None:
        return Finding(ALARM, _ABOUT, "unknown", "no alarm of the topic is at rest")
    name, before, since = quiet["AlarmName"], quiet["StateValue"], datetime.now(UTC)
    try:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=_REASON)
        outcome = _what_became_of_it(cloudwatch, name, since, wait)
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=before, StateReason=_REASON)
    if outcome is None:
        return Finding(ALARM, _ABOUT, "unknown", f"CloudWatch has not said within {_SECONDS:.0f} seconds")
    return as_expected(ALARM, _ABOUT, outcome.startswith("Success"), outcome.replace(topic, "the topic"))


def _what_became_of_it(
    cloudwatch: CloudWatchClient, name: str, since: datetime, wait: Callable[[float], None]
) -> str | None:
    """CloudWatch's own sentence about the alarm's action, or None where there is none in time."""
    for _ in range(int(_SECONDS / _PAUSE)):
        items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action", StartDate=since)
        if items["AlarmHistoryItems"]:
            return str(items["AlarmHistoryItems"][0]["HistorySummary"])
        wait(_PAUSE)
    return None
