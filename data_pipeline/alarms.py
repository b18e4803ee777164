"""Alarms: Amazon SNS notifications from Airflow's callbacks, and what happens to work that is late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import python_code
from .draft import Draft
from .expressions.scope import Runtime
from .expressions.values import Deferred
from .model import PipelineObject
from .periods import Period
from .python_code import Call, Code
from .run_values import Trigger

_SNS = ("airflow.providers.amazon.aws.notifications.sns", "SnsNotifier")
_CALLBACKS = {"onFail": "on_failure_callback", "onSuccess": "on_success_callback"}


def callbacks(draft: Draft, node: PipelineObject) -> dict[str, Any]:
    """The callbacks of the task that does an object's work, and a check that it does not start too late."""
    arguments: dict[str, Any] = {}
    for field, callback in _CALLBACKS.items():
        notifiers = []
        for alarm in draft.referred(node, field):
            if alarm.type == "SnsAlarm":
                notifiers.append(_notifier(draft, alarm, node))
            else:
                draft.ledger.dropped(node, field, f"{alarm.id} has nothing to cancel when the task has ended.")
        if notifiers:
            arguments[callback] = notifiers[0] if len(notifiers) == 1 else notifiers
            draft.ledger.note(node, field, f"`{callback}` of the task.")
    arguments |= _late(draft, node)
    return arguments


def _late(draft: Draft, node: PipelineObject) -> dict[str, Any]:
    """What happens when an object is late: Airflow 2 has a limit for each task, Airflow 3 a deadline for the run."""
    lateness = draft.period(node, "lateAfterTimeout")
    actions = draft.referred(node, "onLateAction")
    if lateness is None or not actions:
        for field in ("lateAfterTimeout", "onLateAction"):
            if node.text(field) or node.references(field):
                draft.ledger.dropped(node, field, "It takes both, lateAfterTimeout and onLateAction.")
        return {}
    if draft.plan.trigger is Trigger.ONDEMAND:
        # The reference: it is triggered only when the schedule type is not set to ondemand.
        for field in ("lateAfterTimeout", "onLateAction"):
            draft.ledger.dropped(node, field, "A run on demand is never late.")
        return {}
    arguments: dict[str, Any] = {}
    for action in actions:
        if action.type == "Terminate":
            code = f"cancel_if_late({_timedelta(lateness).source})"
            arguments["pre_execute"] = Code(code, (("datetime", "timedelta"),))
            text = f"A task that starts more than {lateness} after its run was due fails at once."
            draft.ledger.note(node, "onLateAction", text)
            draft.ledger.note(node, "lateAfterTimeout", text)
        elif draft.airflow.is_3:
            _deadline(draft, action, node, lateness)
        else:
            arguments["sla"] = _after_logical_date(draft, lateness)
            _sla_alarm(draft, action, node)
    return arguments


def _timedelta(lateness: Period) -> Code:
    """A period as a timedelta, which limits and deadlines take."""
    length = f"{lateness.unit}s={lateness.count}" if not lateness.is_calendar else f"seconds={lateness.seconds}"
    return Code(f"timedelta({length})", (("datetime", "timedelta"),))


def _after_logical_date(draft: Draft, lateness: Period) -> Code:
    """How long after its logical date a run is late: in time series it starts one period after that."""
    if draft.plan.trigger is not Trigger.TIMESERIES or draft.plan.period is None:
        return _timedelta(lateness)
    period = draft.plan.period
    return Code(f"{_timedelta(period).source} + {_timedelta(lateness).source}", (("datetime", "timedelta"),))


def _sla_alarm(draft: Draft, alarm: PipelineObject, node: PipelineObject) -> None:
    """Adds an alarm to what the DAG calls when a task misses its limit."""
    values = {
        **draft.runtime.values,
        "scheduledStartTime": Deferred("slas[0].execution_date", "datetime"),
        "scheduledEndTime": Deferred("slas[0].timestamp", "datetime"),
        "errorMessage": "it is late",
        "status": "late",
    }
    notifier = _notifier(draft.with_runtime(replace(draft.runtime, values=values)), alarm, node)
    known = draft.dag.arguments.setdefault("sla_miss_callback", [])
    if notifier not in known:
        known.append(notifier)
    for field in ("onLateAction", "lateAfterTimeout"):
        draft.ledger.differs(
            node, field, "`sla` of the task: the alarm is raised when a scheduled run's task has not ended by then."
        )


def _deadline(draft: Draft, alarm: PipelineObject, node: PipelineObject, lateness: Period) -> None:
    """Adds a deadline of the run, since Airflow 3 has none for a task."""
    values = {
        **draft.runtime.values,
        "scheduledStartTime": Deferred("dag_run.logical_date"),
        "scheduledEndTime": Deferred("deadline.deadline_time"),
        "errorMessage": "it is late",
        "status": "late",
    }
    notifier = _notifier(draft.with_runtime(Runtime(values, draft.runtime.variables)), alarm, node)
    alert = Call(
        draft.airflow.dag,
        "DeadlineAlert",
        {
            "reference": Code("DeadlineReference.DAGRUN_LOGICAL_DATE", ((draft.airflow.dag, "DeadlineReference"),)),
            "interval": _after_logical_date(draft, lateness),
            "callback": Code(
                f"AsyncCallback(SnsNotifier, kwargs={python_code.source(dict(notifier.arguments))})",
                ((draft.airflow.dag, "AsyncCallback"), _SNS),
            ),
        },
    )
    known = draft.dag.arguments.setdefault("deadline", [])
    if alert not in known:
        known.append(alert)
    for field in ("onLateAction", "lateAfterTimeout"):
        draft.ledger.differs(
            node, field, "`deadline` of the DAG: Airflow 3 knows when a whole run is late, and not a task of it."
        )


def _notifier(draft: Draft, alarm: PipelineObject, node: PipelineObject) -> Call:
    arguments: dict[str, Any] = {}
    for field, argument in (("topicArn", "target_arn"), ("subject", "subject"), ("message", "message")):
        text = draft.text(alarm, field, node)
        if text is not None:
            arguments[argument] = text.jinja
        draft.ledger.note(alarm, field, f"`{argument}` of an SnsNotifier.")
    topic = draft.text(alarm, "topicArn", node)
    parts = (topic.fixed or "").split(":") if topic else []
    if len(parts) > 3 and parts[3]:
        arguments["region_name"] = parts[3]
    draft.ledger.dropped(alarm, "role", "The environment's role publishes: allow it `sns:Publish` on the topic.")
    return Call(*_SNS, arguments)
