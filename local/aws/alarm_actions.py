"""What alarms do in CloudWatch and not in moto: an alarm that is raised publishes to its topics, if it may.

A topic that is encrypted takes nothing from CloudWatch unless the key's policy admits it (SNS, developer guide,
"Encrypting messages published from AWS services").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

_SERVICE = "cloudwatch.amazonaws.com"
_NEEDED = ("kms:Decrypt", "kms:GenerateDataKey")


def install() -> None:
    """Changes moto for the whole process."""
    CloudWatchResponse.set_alarm_state = _set_alarm_state  # type: ignore[method-assign]
    CloudWatchResponse.describe_alarm_history = _describe_alarm_history  # type: ignore[attr-defined]


# As moto has it, however often this is put in place.
_set = CloudWatchResponse.set_alarm_state


def _set_alarm_state(self: CloudWatchResponse) -> ActionResult:
    result = _set(self)
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    if self._get_param("StateValue") == "ALARM":
        history = _history(alarm)
        for action in alarm.alarm_actions:
            history.insert(0, _item(alarm, _publish(action, self.current_account, self.region)))
    return result


def _describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    return ActionResult({"AlarmHistoryItems": _history(alarm)})


def _history(alarm: Alarm) -> list[dict[str, Any]]:
    """The actions of an alarm, the latest first; moto keeps none."""
    items: list[dict[str, Any]] = alarm.__dict__.setdefault("action_history", [])
    return items


def _item(alarm: Alarm, summary: str) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": datetime.now(UTC),
        "HistoryItemType": "Action",
        "HistorySummary": summary,
    }


def _publish(topic: str, account: str, region: str) -> str:
    """What CloudWatch says about the action. Nobody here gets the message."""
    key_id = sns_backends[account][region].topics[topic].kms_master_key_id
    if key_id:
        keys = kms_backends[account][region]
        policy = keys.keys[keys.any_id_to_key_id(key_id)].policy
        document = policy if isinstance(policy, Mapping) else json.loads(policy)
        if not all(_admits(document, action) for action in _NEEDED):
            return (
                f"Failed to execute action {topic}. Received error: 'CloudWatch Alarms does not have authorization to "
                "access the SNS topic encryption key.'"
            )
    return f"Successfully executed action {topic}"


def _admits(policy: Mapping[str, Any], action: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), Mapping)
        and _SERVICE in _list(statement["Principal"].get("Service", []))
        and {action, "kms:*"} & set(_list(statement["Action"]))
        for statement in policy["Statement"]
        if statement is not None
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
