"""What becomes of fields that no task is made of, so that the page has a sentence for every field."""

from __future__ import annotations

from . import dependencies, object_reference
from .ledger import Ledger, Level
from .model import DEFAULT, Definition, PipelineObject

_LOGS = "Task logs are in CloudWatch, where the environment puts them."
_EXECUTION_ROLE = "The environment's execution role does it; give it the rights that this role had."

_NOTES: dict[str, tuple[Level, str]] = {
    "parent": (Level.DONE, "Its fields are in the object."),
    "myComment": (Level.DROPPED, "A comment."),
    "role": (Level.DIFFERENT, _EXECUTION_ROLE),
    "resourceRole": (Level.DIFFERENT, "No resource takes it here."),
    "pipelineLogUri": (Level.DIFFERENT, _LOGS),
    "schedule": (Level.DONE, "The DAG's `schedule`."),
    "scheduleType": (Level.DONE, "The DAG's timetable: at the beginning or the end of an interval, or on demand."),
    "failureAndRerunMode": (Level.DONE, "What waits for a failed task fails too: Airflow's own way."),
    "reportProgressTimeout": (
        Level.DIFFERENT,
        "Airflow watches its workers by itself; `execution_timeout` limits a try.",
    ),
    "attemptStatus": (Level.DROPPED, "The service writes it."),
    "actionOnTaskFailure": (Level.DIFFERENT, "The resource goes when its tasks have ended, however they ended."),
    "actionOnResourceFailure": (
        Level.DIFFERENT,
        "A task whose resource fails is tried again as often as it is retried.",
    ),
    "initTimeout": (Level.DIFFERENT, "The task that makes the resource waits as long as its operator does."),
    "enableDebugging": (Level.DROPPED, "Amazon EMR keeps steps' logs where the cluster's `LogUri` says."),
    "supportedProducts": (Level.DECIDE, "Amazon EMR's releases have applications in their place: choose one."),
    "hadoopVersion": (Level.DROPPED, "The release decides it."),
    "httpProxy": (
        Level.DECIDE,
        "Task Runner's proxy: give the network of the environment or the resource another way.",
    ),
    "instanceCount": (Level.DROPPED, "The reference calls it deprecated; there is one instance."),
    "minInstanceCount": (Level.DROPPED, "The reference calls it deprecated; there is one instance."),
    "runAsUser": (Level.DECIDE, "Systems Manager runs commands as root: `su` to the user in the script."),
    "workerGroup": (Level.DROPPED, "It has a resource, or needs none."),
    "runsOn": (Level.DONE, "The resource is made before the task, and removed after it."),
    "dependsOn": (Level.DONE, "The order of the tasks."),
    "precondition": (Level.DONE, "A sensor in front of the task."),
    "maxActiveInstances": (Level.DONE, "`max_active_runs` of the DAG."),
    "maximumRetries": (Level.DONE, "`retries`."),
    "retryDelay": (Level.DONE, "`retry_delay`."),
    "attemptTimeout": (Level.DONE, "`execution_timeout`."),
    "s3EncryptionType": (Level.DROPPED, "Amazon S3 encrypts every new object by itself."),
    "region": (Level.DROPPED, "No task of its own."),
    "startAt": (Level.DONE, "`start_date` of the DAG."),
    "stage": (Level.DONE, "The script and its data nodes."),
}
#: Objects that are parts of others: their fields are in those.
_PARTS = {
    "data format": "In the statements and tasks that read or write the data.",
    "utility": "In the object that refers to it.",
    "data node": "In the tasks that read or write it.",
    "database": "In the connection, or the arguments, of the tasks that use it.",
    "schedule": "In the DAG's schedule.",
    "action": "In the callbacks of the tasks that refer to it.",
}


def complete(definition: Definition, ledger: Ledger) -> None:
    """Gives every field that has no note yet its sentence."""
    for found in definition.objects.values():
        kind = object_reference.kind(found.type)
        if kind and kind not in ("schedule", "activity") and not any(dependencies.referrers(definition, found.id)):
            ledger.dropped(found, "", "No object refers to it, so nothing is made of it.")
        elif kind == "resource" and not ledger.of(found.id, ""):
            ledger.dropped(found, "", "Nothing has to run on it: its activities call services, or run elsewhere.")
        for name in found.fields:
            if name != "type" and found.origin(name) == found.id and not ledger.of(found.id, name):
                _note(definition, found, name, kind, ledger)


def _note(definition: Definition, found: PipelineObject, name: str, kind: str, ledger: Ledger) -> None:
    is_used = not any(note.level is Level.DROPPED for note in ledger.of(found.id, ""))
    if name in _NOTES:
        level, text = _NOTES[name]
        if level is Level.DECIDE and not is_used:
            level, text = Level.DROPPED, "The object is not needed."
        ledger.note(found.id, name, text, level)
    elif name.startswith("my") and name[2:3] in ("_", *map(chr, range(ord("A"), ord("Z") + 1))):
        ledger.note(found.id, name, "A field of the user's: its value is where an expression names it.")
    elif kind and name not in object_reference.types()[found.type].fields:
        ledger.dropped(found.id, name, f"The reference has no such field for a {found.type}.")
    elif not is_used:
        ledger.dropped(found.id, name, "The object is not needed.")
    elif found.id == DEFAULT or not kind:
        ledger.note(found.id, name, "Its value is in the objects that inherit it.")
    else:
        ledger.note(found.id, name, _PARTS.get(kind, "In the task."))
