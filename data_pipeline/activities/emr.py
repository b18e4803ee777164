"""Work on an EMR cluster: steps that are added to it, and waited for."""

from __future__ import annotations

from typing import Any

from .. import waiting
from ..dag_file import Task
from ..draft import Draft
from ..expressions.values import Text
from ..model import PipelineObject
from ..naming import identifier
from ..python_code import Output
from . import hive, pig

_MODULE = "airflow.providers.amazon.aws.operators.emr"
#: Amazon EMR's own runner of commands, on every release.
_RUNNER = "command-runner.jar"
_SCRIPT_RUNNER = "script-runner.jar"
#: Where AMI versions had Hadoop, and its streaming jar.
_OLD_HOME = "/home/hadoop/"
_OLD_STREAMING = f"{_OLD_HOME}contrib/streaming/hadoop-streaming.jar"


def translate(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """One task that adds the activity's steps and waits for them."""
    if draft.options.emr_on == "serverless" and setups:
        draft.ledger.differs(
            activity,
            "runsOn",
            "It stays on a cluster: EMR Serverless runs Hive scripts and spark-submit, and no shell commands.",
        )
    steps = [
        *_scripts(draft, activity, "preStepCommand", "before"),
        *_task_config(draft, activity, "preActivityTaskConfig", "before"),
        *_work(draft, activity),
        *_task_config(draft, activity, "postActivityTaskConfig", "after"),
        *_scripts(draft, activity, "postStepCommand", "after"),
    ]
    # A failed step must keep those behind it from running, and those of other activities only where it has some.
    on_failure = "CANCEL_AND_WAIT" if len(steps) > 1 else "CONTINUE"
    name = add_steps(draft, activity, setups, [step(title, jar, on_failure) for title, jar in steps])
    for field in ("resizeClusterBeforeRunning", "resizeClusterMaxInstances"):
        if activity.text(field):
            draft.ledger.decide(
                activity,
                field,
                "The cluster keeps the size that it has; choose one for the table's throughput, or managed scaling.",
            )
    return [name]


def add_steps(draft: Draft, activity: PipelineObject, setups: list[str], steps: list[dict[str, Any]]) -> str:
    """Adds the task that runs some steps, and returns its name."""
    name = draft.name(activity)
    cluster: Any
    region = None
    if setups:
        cluster = Output(setups[0])
        region = draft.text(draft.referred(activity, "runsOn")[0], "region")
    else:
        group = draft.text(activity, "workerGroup")
        label = identifier(group.fixed or "worker_group") if group else "worker_group"
        cluster = draft.variable(f"{label}_job_flow_id", f"The id of the EMR cluster of the worker group {label}.")
        draft.ledger.decide(
            activity, "workerGroup", "Steps of the cluster whose id is in a variable; Task Runner is not needed on it."
        )
    arguments: dict[str, Any] = {
        "job_flow_id": cluster,
        "steps": steps,
        "wait_for_completion": True,
        **waiting.waiter(draft, activity, delay=30),
    }
    if region is not None:
        arguments["region_name"] = region.jinja
    draft.add(Task(name, _MODULE, "EmrAddStepsOperator", arguments), activity)
    return name


def step(name: str, jar: dict[str, Any], on_failure: str = "CONTINUE") -> dict[str, Any]:
    """A step as Amazon EMR's API has it."""
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def command(*arguments: str) -> dict[str, Any]:
    """What runs a command on the primary node."""
    return {"Jar": _RUNNER, "Args": list(arguments)}


def _work(draft: Draft, activity: PipelineObject) -> list[tuple[str, dict[str, Any]]]:
    if activity.type == "EmrActivity":
        texts = draft.texts(activity, "step")
        titles = [
            activity.name if len(texts) == 1 else f"{activity.name} {number}" for number in range(1, len(texts) + 1)
        ]
        draft.ledger.note(activity, "step", "Steps of the cluster: the jar, and the arguments between commas.")
        return [(title, _jar(draft, activity, text)) for title, text in zip(titles, texts, strict=True)]
    if activity.type == "HadoopActivity":
        return [(activity.name, _hadoop_jar(draft, activity))]
    if activity.type == "PigActivity":
        return [(activity.name, command(*pig.arguments(draft, activity)))]
    return [(title, command(*words)) for title, words in hive.commands(draft, activity)]


def _jar(draft: Draft, activity: PipelineObject, text: Text) -> dict[str, Any]:
    """A step's text: a jar and its arguments, between commas of which `\\,` is none."""
    jar, *arguments = [part.stripped() for part in text.split(",", "\\")]
    words = [argument.jinja for argument in arguments]
    fixed = jar.fixed or ""
    if fixed == _OLD_STREAMING:
        return _streaming(draft, activity, "step", words)
    _note_old_paths(draft, activity, "step", [fixed, *words])
    if fixed.rsplit("/", 1)[-1] == _SCRIPT_RUNNER and words:
        # script-runner.jar lies in a bucket per region and old releases; the runner on the cluster does the same.
        draft.ledger.note(
            activity, "step", "`script-runner.jar` is `command-runner.jar` with the script fetched from S3."
        )
        return _from_s3(words[0], words[1:])
    return {"Jar": jar.jinja, "Args": words}


def _from_s3(script: str, arguments: list[str]) -> dict[str, Any]:
    """A script in S3 with arguments: they reach it as $1, $2..."""
    return command("bash", "-c", 'aws s3 cp "$0" - | bash -s -- "$@"', script, *arguments)


def _hadoop_jar(draft: Draft, activity: PipelineObject) -> dict[str, Any]:
    jar, main_class = draft.text(activity, "jarUri"), draft.text(activity, "mainClass")
    arguments = [text.jinja for text in draft.texts(activity, "argument")]
    queue = draft.text(activity, "hadoopQueue")
    if queue is not None:
        arguments = [f"-Dmapreduce.job.queuename={queue.jinja}", *arguments]
        draft.ledger.note(activity, "hadoopQueue", "The property `mapreduce.job.queuename`.")
    for field in ("jarUri", "mainClass", "argument"):
        draft.ledger.note(activity, field, "A step of the cluster.")
    if jar is not None and jar.fixed == _OLD_STREAMING:
        return _streaming(draft, activity, "jarUri", arguments)
    found: dict[str, Any] = {"Jar": jar.jinja if jar else "", "Args": arguments}
    _note_old_paths(draft, activity, "jarUri", [found["Jar"], *arguments])
    if main_class is not None:
        found["MainClass"] = main_class.jinja
    return found


def _streaming(draft: Draft, activity: PipelineObject, field: str, arguments: list[str]) -> dict[str, Any]:
    """Hadoop's streaming, which releases have behind the runner of commands."""
    draft.ledger.differs(activity, field, f"`{_OLD_STREAMING}` is `hadoop-streaming` of `command-runner.jar`.")
    return command("hadoop-streaming", *arguments)


def _note_old_paths(draft: Draft, activity: PipelineObject, field: str, words: list[str]) -> None:
    old = [word for word in words if word.startswith(_OLD_HOME)]
    if old:
        draft.ledger.decide(
            activity, field, f"{', '.join(old)} is where AMI versions had it; releases have it below /usr/lib."
        )


def _scripts(draft: Draft, activity: PipelineObject, field: str, when: str) -> list[tuple[str, dict[str, Any]]]:
    draft.ledger.note(activity, field, f"A step {when} the others, by `command-runner.jar`.")
    return [(f"{activity.name}: {when}", command("bash", "-c", text.jinja)) for text in draft.texts(activity, field)]


def _task_config(draft: Draft, activity: PipelineObject, field: str, when: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for config in draft.referred(activity, field):
        script = draft.text(config, "scriptUri")
        if script is not None:
            arguments = [text.jinja for text in draft.texts(config, "scriptArgument")]
            found.append((f"{activity.name}: {when}", _from_s3(script.jinja, arguments)))
        draft.ledger.note(activity, field, f"A step {when} the activity's own.")
        for name in ("scriptUri", "scriptArgument"):
            draft.ledger.note(config, name, f"A step {when} that of {activity.id}.")
    return found
