"""What a run of a DAG did: calls that change something in their order, what commands printed, and what is new in S3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline_runs.local_services import Aws

#: The calls that are shown, with what is shown of their parameters.
_SHOWN: Mapping[str, Callable[[dict[str, Any]], list[str]]] = {
    "RunInstances": lambda asked: [asked["InstanceType"]],
    "TerminateInstances": lambda asked: [""],
    "RunJobFlow": lambda asked: [f"{asked['ReleaseLabel']} {[item['Name'] for item in asked['Applications']]}"],
    "AddJobFlowSteps": lambda asked: [
        f"{step['HadoopJarStep']['Jar']} {step['HadoopJarStep']['Args']}" for step in asked["Steps"]
    ],
    "TerminateJobFlows": lambda asked: [""],
    "SendCommand": lambda asked: asked["Parameters"]["commands"],
    "ExecuteStatement": lambda asked: [asked["Sql"]],
    "BatchExecuteStatement": lambda asked: asked["Sqls"],
    "Publish": lambda asked: [asked.get("Subject", "")],
}


class Effects:
    """Looks at a local AWS before a run, and then says what the run did."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._before = dict(self._objects())

    def lines(self) -> list[str]:
        """One line for each thing that was done."""
        found = [
            f"{call.operation.name} {text}".rstrip()
            for call in self._aws.calls
            for text in (_SHOWN[call.operation.name](call.parameters) if call.operation.name in _SHOWN else ())
        ]
        commands = self._aws.machines.invocations.values()
        found += [f"printed: {command['StandardOutputContent']!r}" for command in commands]
        new = {place: body for place, body in self._objects() if self._before.get(place) != body}
        found += [f"{place}: {_shown(body)}" for place, body in sorted(new.items())]
        homes = self._aws.folder / "homes"
        for file in sorted(homes.glob("*/hdfs/**/*")):
            if file.is_file():
                found.append(f"hdfs:{'/'.join(file.relative_to(homes).parts[2:])}: {_shown(file.read_bytes())}")
        return found

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        s3 = self._aws.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
                body = s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()
                yield f"s3://{bucket['Name']}/{item['Key']}", body


def _shown(body: bytes) -> str:
    text = body.decode(errors="replace")
    return repr(text) if len(text) <= 500 else f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}"
