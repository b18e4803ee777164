"""The local AWS as translated DAGs need it: with what moto does not carry out, and a machine for commands and steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from pipeline_runs.hadoop.primary_node import PrimaryNode
from pipeline_runs.services import EmrSteps, Machines, RedshiftData, Serverless

REGION = "eu-west-1"
_HERE = Path(__file__).parent
#: Commands that a machine has beside those of this one, and the programs that carry them out.
_COMMANDS = {"aws": _HERE / "aws_cli.py", "sqoop": _HERE / "hadoop" / "sqoop.py"}


@dataclass
class Aws:
    """A local AWS, the machine that commands and steps run on, and the calls that DAGs made of it.

    Args:
        folder: the machine's.
        commands: the folder of its own commands.
        environment_of_commands: the variables that commands there have.
    """

    endpoint: Endpoint
    folder: Path
    commands: Path
    environment_of_commands: dict[str, str]
    calls: list[AwsRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machines = Machines(self.folder, self.environment_of_commands)
        self.emr = EmrSteps(
            PrimaryNode(self.folder, self.client("s3"), self.client("dynamodb"), self.environment_of_commands)
        )

    def client(self, service: str, region: str = REGION) -> Any:
        return self.endpoint.client(service, self.endpoint.identities.administrator, region)

    def empty_bucket(self, name: str) -> Any:
        """A client for S3, where a bucket of that name is there and has nothing in it."""
        s3 = self.client("s3")
        if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
        return s3

    def serve(self, pages: Mapping[str, str]) -> None:
        """Has `curl -O URL` on the machine fetch these texts, since there is no network."""
        for url, text in pages.items():
            file = self.folder / "web" / url.split("://", 1)[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        curl = self.commands / "curl"
        curl.write_text(f'#!/bin/sh\n[ "$1" = -O ] && exec cp "{self.folder}/web/${{2#*://}}" "${{2##*/}}"\nexit 2\n')
        curl.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """What a DAG's tasks need to reach it."""
        keys = self.endpoint.identities.administrator.environment()
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint.url, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}

    def asked(self, service: str, *operations: str) -> list[tuple[str, dict[str, Any]]]:
        """The calls of a service's operations, in their order."""
        return [
            (call.operation.name, call.parameters)
            for call in self.calls
            if call.service == service and call.operation.name in operations
        ]

    def record(self, request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        self.calls.append(request)
        return carry_out()


@contextmanager
def started_aws(folder: Path, warehouse: str) -> Iterator[Aws]:
    """A local AWS whose Redshift is the PostgreSQL database of a DSN, with a folder for its machine."""
    endpoint = Endpoint(Identities(region=REGION))
    endpoint.start()
    commands, machine = folder / "commands", folder / "machine"
    for directory in (commands, machine):
        directory.mkdir(parents=True)
    for name, program in _COMMANDS.items():
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
        (commands / name).chmod(0o755)
    environment = {"HOME": str(machine), "PATH": f"{commands}:{os.environ['PATH']}"}
    aws = Aws(endpoint, machine, commands, environment)
    environment |= aws.environment()

    def read(bucket: str, prefix: str) -> str:
        s3 = aws.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
        return "".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys)

    for service in (aws.emr, Serverless(), aws.machines, RedshiftData(warehouse, read)):
        endpoint.add(service)
    aws.client("iam").create_instance_profile(InstanceProfileName="EtlProfile")
    endpoint.interceptor = aws.record
    try:
        yield aws
    finally:
        aws.emr.node.stop()
        endpoint.stop()
