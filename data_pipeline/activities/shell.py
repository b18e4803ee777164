"""Shell commands: through Systems Manager on the resource, as a task of Amazon ECS, or on Airflow's own worker."""

from __future__ import annotations

from typing import Any

from .. import waiting
from ..dag_file import Task
from ..draft import Draft
from ..model import PipelineObject
from ..naming import identifier
from ..python_code import Output
from . import emr

_SSM = "airflow.providers.amazon.aws.operators.ssm"
_ECS = "airflow.providers.amazon.aws.operators.ecs"
#: The longest that AWS-RunShellScript lets a command run.
_LONGEST_COMMAND = 172_800


def translate(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """One task that runs the activity's command."""
    file = script_file(draft, activity, draft.name(activity))
    resources = draft.referred(activity, "runsOn")
    if resources and resources[0].type == "EmrCluster":
        steps = [emr.step(activity.name, emr.command("bash", "-c", f"{{% include '{file}' %}}"))]
        name = emr.add_steps(draft, activity, setups, steps)
    else:
        task = run_script(draft, activity, draft.name(activity), file, setups)
        name = draft.add(task, activity).name
    return [name]


def run_script(
    draft: Draft, found: PipelineObject, name: str, file: str, setups: list[str], host: PipelineObject | None = None
) -> Task:
    """The task that runs a script beside the DAG, where the options say.

    `host` is the activity whose resource the script runs on, for a precondition, which has none of its own.
    """
    host = host or found
    if draft.options.shell_on == "worker":
        draft.ledger.differs(
            found, "runsOn", "The command runs on the environment's worker, with its role and its software."
        )
        return Task(name, draft.airflow.bash, "BashOperator", {"bash_command": file})
    if draft.options.shell_on == "ecs":
        return _on_ecs(draft, found, host, name, file)
    return _on_ssm(draft, found, host, name, file, setups)


def script_file(draft: Draft, found: PipelineObject, name: str, node: PipelineObject | None = None) -> str:
    """Writes an object's command as a script beside the DAG, and returns the file's name."""
    words = [text.shell for text in draft.texts(found, "scriptArgument", node)]
    command, uri = draft.text(found, "command", node), draft.text(found, "scriptUri", node)
    lines = ["#!/bin/bash"]
    if words:
        lines.append(f"set -- {' '.join(words)}")
        draft.ledger.note(found, "scriptArgument", "The script's `$1`, `$2`...")
    if command is not None:
        body = command.jinja.rstrip()
        draft.ledger.note(found, "command", f"The file `{name}.sh`.")
    else:
        fetched = uri.shell if uri else "''"
        body = f'script=$(mktemp)\naws s3 cp {fetched} "$script"\nbash "$script" "$@"'
        draft.ledger.note(found, "scriptUri", f"`{name}.sh` fetches it from S3 and runs it.")
    before, after = _staging(draft, found)
    outputs = _redirections(draft, found, node)
    if before or after or outputs:
        redirect = "".join(f' {descriptor}>"${field}"' for descriptor, field, _, _ in outputs)
        files = [f"{field}=$(mktemp)" for _, field, _, _ in outputs]
        # Each stream goes to the task's log as well.
        shown = [f'cat "${field}"{back}' for _, field, _, back in outputs]
        uploads = [f'aws s3 cp "${field}" {target}' for _, field, target, _ in outputs]
        if uploads:
            lines += [*files, *before, "(", body, f"){redirect}", "status=$?", *shown, *uploads]
            lines += ['[ "$status" -eq 0 ] || exit "$status"', *after] if after else ['exit "$status"']
        else:
            lines += [*before, "(", body, ") || exit", *after]
    else:
        lines += ["", body]
    return draft.file(f"{name}.sh", "\n".join(lines))


def _staging(draft: Draft, found: PipelineObject) -> tuple[list[str], list[str]]:
    """What copies the inputs here before the command, and the outputs to S3 after it."""
    if not draft.truth(found, "stage"):
        draft.ledger.note(found, "stage", "The command fetches and stores its data itself.")
        return [], []
    before, after = [], []
    for kind in ("input", "output"):
        for number, node in enumerate(draft.referred(found, kind), start=1):
            directory, path = draft.text(node, "directoryPath"), draft.text(node, "filePath")
            place = directory or path
            if node.type != "S3DataNode" or place is None:
                draft.ledger.decide(
                    found, "stage", f"{node.id} is a {node.type}, which was staged in no way that is known."
                )
                continue
            variable = f"{kind.upper()}{number}_STAGING_DIR"
            before.append(f"export {variable}=$(mktemp -d)")
            if kind == "input":
                recursive = "--recursive " if directory else ""
                before.append(f'aws s3 cp {recursive}{place.shell} "${variable}/"')
            else:
                after.append(f'aws s3 cp --recursive "${variable}" {place.shell}')
    draft.ledger.note(found, "stage", "The script copies the inputs before the command and the outputs after it.")
    return before, after


def _redirections(draft: Draft, found: PipelineObject, node: PipelineObject | None) -> list[tuple[str, str, str, str]]:
    """Descriptor, variable, target and way back of each stream that goes to S3."""
    streams = []
    for field, descriptor, back in (("stdout", "", ""), ("stderr", "2", " >&2")):
        target = draft.text(found, field, node)
        if target is not None:
            streams.append((descriptor, field, target.shell, back))
            draft.ledger.note(found, field, "The script copies the stream to S3; it is in the task's log as well.")
    return streams


def _on_ssm(draft: Draft, found: PipelineObject, host: PipelineObject, name: str, file: str, setups: list[str]) -> Task:
    instances: Any
    region = None
    if setups:
        instances = Output(setups[0])
        region = draft.text(draft.referred(host, "runsOn")[0], "region")
        draft.ledger.note(found, "runsOn", "Systems Manager runs the command on the instance.")
    else:
        group = draft.text(host, "workerGroup")
        label = identifier(group.fixed or "worker_group") if group else "worker_group"
        described = f"The id of the managed instance (i-... or mi-...) that did the work of the worker group {label}."
        instances = [draft.variable(f"{label}_instance_id", described)]
        draft.ledger.decide(
            found,
            "workerGroup",
            "Systems Manager runs the command on the machine whose id is in a variable; give it the agent.",
        )
    seconds = min(waiting.longest(draft, host), _LONGEST_COMMAND)
    request: dict[str, Any] = {
        "InstanceIds": instances,
        "Parameters": {"commands": [f"{{% include '{file}' %}}"], "executionTimeout": [str(seconds)]},
    }
    logs = draft.text(host, "pipelineLogUri")
    if logs is not None:
        # The bucket and the prefix behind s3://.
        request["OutputS3BucketName"] = f"{{{{ ({logs.expression}).split('/')[2] }}}}"
        request["OutputS3KeyPrefix"] = f"{{{{ ({logs.expression}).split('/')[3:] | join('/') }}}}"
        if logs.fixed is not None and not logs.deferred:
            bucket, _, prefix = logs.fixed.removeprefix("s3://").partition("/")
            request["OutputS3BucketName"], request["OutputS3KeyPrefix"] = bucket, prefix.rstrip("/")
        request = {key: value for key, value in request.items() if value}
        draft.ledger.note(
            found, "pipelineLogUri", "Where Systems Manager leaves the command's output; task logs are in CloudWatch."
        )
    arguments: dict[str, Any] = {
        "document_name": "AWS-RunShellScript",
        "run_command_kwargs": request,
        **waiting.waiter(draft, host, delay=15),
    }
    if region is not None:
        arguments["region_name"] = region.jinja
    return Task(name, _SSM, "SsmRunCommandOperator", arguments)


def _on_ecs(draft: Draft, found: PipelineObject, host: PipelineObject, name: str, file: str) -> Task:
    container = draft.variable("ecs_container", "The name of the container in the task definition.")
    override: dict[str, Any] = {"name": container, "command": ["bash", "-c", f"{{% include '{file}' %}}"]}
    network: dict[str, Any] = {"subnets": [draft.variable("ecs_subnet", "The subnet in which the tasks of ECS run.")]}
    for resource in draft.referred(host, "runsOn"):
        subnet, groups = draft.text(resource, "subnetId"), draft.texts(resource, "securityGroupIds")
        if subnet is not None:
            draft.variables.pop(f"{draft.dag.dag_id}_ecs_subnet", None)
            network = {"subnets": [subnet.jinja]}
        if groups:
            network["securityGroups"] = [text.jinja for text in groups]
        if draft.truth(resource, "associatePublicIpAddress"):
            network["assignPublicIp"] = "ENABLED"
        draft.ledger.differs(resource, "", "No instance is made: the commands run in Fargate, in a container of yours.")
    draft.ledger.decide(
        found,
        "runsOn",
        "A task of Amazon ECS: make a task definition whose image has bash, the AWS CLI and what the command needs.",
    )
    arguments: dict[str, Any] = {
        "cluster": draft.variable("ecs_cluster", "The cluster of Amazon ECS that runs the shell commands."),
        "task_definition": draft.variable("ecs_task_definition", "The task definition for the shell commands."),
        "launch_type": "FARGATE",
        "overrides": {"containerOverrides": [override]},
        "network_configuration": {"awsvpcConfiguration": network},
        **waiting.waiter(draft, host, delay=15),
    }
    return Task(name, _ECS, "EcsRunTaskOperator", arguments)
