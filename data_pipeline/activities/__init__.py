"""Activities as tasks: one module for each kind of work."""

from __future__ import annotations

from collections.abc import Callable

from ..draft import Draft
from ..model import PipelineObject
from . import copy, emr, redshift, shell, sql

#: What makes the tasks of an activity, and returns the names of the first and of the last of them. It gets the names of
#: the tasks that make the activity's resource, the resource's own first; none where it needs no resource.
Translator = Callable[[Draft, PipelineObject, list[str]], tuple[str, str]]

TRANSLATORS: dict[str, Translator] = {
    "ShellCommandActivity": shell.translate,
    "EmrActivity": emr.translate,
    "HadoopActivity": emr.translate,
    "HiveActivity": emr.translate,
    "HiveCopyActivity": emr.translate,
    "PigActivity": emr.translate,
    "CopyActivity": copy.translate,
    "RedshiftCopyActivity": redshift.translate_copy,
    "SqlActivity": sql.translate,
}


def needs_resource(draft: Draft, activity: PipelineObject) -> bool:
    """Whether an activity's tasks use the resource that it runs on: what only calls a service does not."""
    resources = draft.referred(activity, "runsOn")
    if not resources:
        return False
    if activity.type in ("EmrActivity", "HadoopActivity", "HiveActivity", "HiveCopyActivity", "PigActivity"):
        return True
    if activity.type != "ShellCommandActivity":
        return False
    return resources[0].type == "EmrCluster" or draft.options.shell_on == "ssm"
