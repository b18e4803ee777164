"""Activities as tasks: one module for each kind of work."""

from __future__ import annotations

from collections.abc import Callable

from ..draft import Draft
from ..model import PipelineObject
from ..resources import Host
from . import copy, emr, emr_serverless, redshift, shell, sql

#: What makes the tasks of an activity, and returns their names in their order. It gets the names of the tasks that make
#: the activity's host, the host's own first; none where it needs no host.
Translator = Callable[[Draft, PipelineObject, list[str]], list[str]]

_ON_EMR = ("EmrActivity", "HadoopActivity", "HiveActivity", "HiveCopyActivity", "PigActivity")


def host(draft: Draft, activity: PipelineObject) -> Host | None:
    """What an activity's tasks run on; None for what only calls a service, and for a worker group."""
    resources = draft.referred(activity, "runsOn")
    if not resources:
        return None
    resource = resources[0]
    if activity.type in _ON_EMR:
        return Host(resource.id, emr_serverless.engine(draft, activity))
    if activity.type == "ShellCommandActivity" and (resource.type == "EmrCluster" or draft.options.shell_on == "ssm"):
        return Host(resource.id)
    return None


def translate_activity(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """Adds an activity's tasks, and returns their names in their order."""
    if emr_serverless.engine(draft, activity):
        return emr_serverless.translate(draft, activity, setups)
    return _TRANSLATORS[activity.type](draft, activity, setups)


_TRANSLATORS: dict[str, Translator] = {
    "ShellCommandActivity": shell.translate,
    **dict.fromkeys(_ON_EMR, emr.translate),
    "CopyActivity": copy.translate,
    "RedshiftCopyActivity": redshift.translate_copy,
    "SqlActivity": sql.translate,
}
