"""What moto does not carry out of the services that translated DAGs call.

Shell commands run for real, on this machine. So do a cluster's steps: commands, Hive's scripts and jars. SQL runs on
PostgreSQL, and COPY reads the real objects from S3. Jobs of EMR Serverless are answered without being done. Every
answer is validated against botocore's model of the service.
"""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from moto.emr.models import emr_backends
from moto.emrserverless.models import emrserverless_backends
from werkzeug.wrappers import Response

from local.aws.arns import arn, iam_arn
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError, json_response
from pipeline_runs.hadoop.primary_node import PrimaryNode


def _validated(service: str, operation: str, answer: dict[str, Any]) -> Response:
    """An answer that fits the operation's output shape."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    return json_response(answer)


@dataclass
class EmrSteps:
    """DescribeStep: a step runs when it is first asked after. All fail while there is something in `failing`."""

    node: PrimaryNode
    failing: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)

    def handles(self, request: AwsRequest) -> bool:
        return (request.service, request.operation.name) == ("emr", "DescribeStep")

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        asked = request.parameters
        # moto takes the region from a host name, which a local endpoint does not have.
        clusters = [item.clusters.get(asked["ClusterId"]) for item in emr_backends[principal.account].values()]
        (found,) = [step for cluster in clusters if cluster for step in cluster.steps if step.id == asked["StepId"]]
        if found.id not in self.states:
            has_succeeded = not self.failing and self.node.run(asked["ClusterId"], found.jar, found.args)
            self.states[found.id] = "COMPLETED" if has_succeeded else "FAILED"
        step = {"Id": found.id, "Name": found.name, "Status": {"State": self.states[found.id]}}
        return _validated("emr", "DescribeStep", {"Step": step})


@dataclass
class Serverless:
    """EMR Serverless where moto is not like it: an application is started after it is made, and every job succeeds."""

    started: set[str] = field(default_factory=set)

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "emr-serverless" and request.operation.name in (
            "StartApplication",
            "GetApplication",
            "GetJobRun",
        )

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        name, asked = request.operation.name, request.parameters
        application_id = asked["applicationId"]
        if name == "StartApplication":
            self.started.add(application_id)
            return _validated("emr-serverless", name, {})
        backend = emrserverless_backends[principal.account][request.region]
        common = {"applicationId": application_id, "createdAt": time.time(), "updatedAt": time.time()}
        if name == "GetApplication":
            made = backend.get_application(application_id)
            facts = {"arn": made.arn, "releaseLabel": made.release_label, "type": made.type}
            state = made.state if application_id in self.started else "CREATED"
            return _validated("emr-serverless", name, {"application": {**common, **facts, "state": state}})
        run = {
            **common,
            "jobRunId": asked["jobRunId"],
            "arn": arn("emr-serverless", request.region, principal.account, f"/jobruns/{asked['jobRunId']}"),
            "createdBy": iam_arn(request.region, principal.account, "role/airflow"),
            "executionRole": iam_arn(request.region, principal.account, "role/jobs"),
            "state": "SUCCESS",
            "stateDetails": "It has ended.",
            "releaseLabel": "emr-6.9.0",
            "jobDriver": backend.get_job_run(application_id, asked["jobRunId"]).job_driver,
        }
        return _validated("emr-serverless", name, {"jobRun": run})


@dataclass
class Machines:
    """Systems Manager: every instance is registered, and its commands run in a folder of its own.

    `image` has the scripts that lie in that folder from the start, as a machine image brings them.
    """

    folder: Path
    environment: dict[str, str]
    image: Mapping[str, str] = field(default_factory=dict)
    invocations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "ssm" and request.operation.name in (
            "DescribeInstanceInformation",
            "SendCommand",
            "GetCommandInvocation",
        )

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        name = request.operation.name
        asked = request.parameters
        if name == "DescribeInstanceInformation":
            ids = asked["Filters"][0]["Values"]
            found = [{"InstanceId": item, "PingStatus": "Online"} for item in ids]
            return _validated("ssm", name, {"InstanceInformationList": found})
        if name == "SendCommand":
            command_id = str(uuid.uuid4())
            for instance_id in asked["InstanceIds"]:
                self.invocations[command_id, instance_id] = self._run(command_id, instance_id, asked["Parameters"])
            command = {"CommandId": command_id, "InstanceIds": asked["InstanceIds"], "Status": "InProgress"}
            return _validated("ssm", name, {"Command": command})
        return _validated("ssm", name, self.invocations[asked["CommandId"], asked["InstanceId"]])

    def _run(self, command_id: str, instance_id: str, parameters: Mapping[str, list[str]]) -> dict[str, Any]:
        home = self.folder / instance_id
        if not home.exists():
            home.mkdir(parents=True)
            for name, text in self.image.items():
                (home / name).write_text(text)
                (home / name).chmod(0o755)
        script = home / f"{command_id}.sh"
        script.write_text("\n".join(parameters["commands"]))
        done = subprocess.run(
            ["bash", str(script)],
            cwd=home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=int(parameters["executionTimeout"][0]),
            check=False,
        )
        return {
            "CommandId": command_id,
            "InstanceId": instance_id,
            "Status": "Success" if done.returncode == 0 else "Failed",
            "ResponseCode": done.returncode,
            "StandardOutputContent": done.stdout,
            "StandardErrorContent": done.stderr,
        }


@dataclass
class RedshiftData:
    """The Redshift Data API on a PostgreSQL database: several statements are one transaction, as there."""

    dsn: str
    read: Callable[[str, str], str]
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)

    _COPY = re.compile(
        r"COPY (?P<table>\S+) FROM '(?P<uri>[^']+)' IAM_ROLE default DELIMITER '(?P<separator>[^']+)'"
        r"(?P<escaped> ESCAPE)?"
    )

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "redshift-data"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        name, asked = request.operation.name, request.parameters
        if name == "DescribeStatement":
            return _validated("redshift-data", name, self.statements[asked["Id"]])
        if name not in ("ExecuteStatement", "BatchExecuteStatement"):
            raise AwsError("ValidationException", f"{name} is not answered here")
        identifier = str(uuid.uuid4())
        sqls = [asked["Sql"]] if name == "ExecuteStatement" else asked["Sqls"]
        described: dict[str, Any] = {"Id": identifier, "Status": "FINISHED", "HasResultSet": False}
        try:
            self._run(sqls)
        except psycopg2.Error as error:
            described |= {"Status": "FAILED", "Error": str(error)}
        if name == "BatchExecuteStatement":
            described["SubStatements"] = [
                {"Id": f"{identifier}:{number}", "Status": described["Status"]} for number in range(1, len(sqls) + 1)
            ]
        self.statements[identifier] = described
        answer = {"Id": identifier, "ClusterIdentifier": asked["ClusterIdentifier"], "CreatedAt": time.time()}
        return _validated("redshift-data", name, {**answer, "Database": asked["Database"], "DbUser": asked["DbUser"]})

    def _run(self, sqls: list[str]) -> None:
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                for sql in sqls:
                    copy = self._COPY.fullmatch(sql)
                    if copy is None:
                        cursor.execute(sql)
                        continue
                    bucket, _, key = copy["uri"].removeprefix("s3://").partition("/")
                    separator = copy["separator"].replace("\\t", "\t")
                    for line in self.read(bucket, key).splitlines():
                        values = line.split(separator)
                        if copy["escaped"]:
                            unescaped = re.split(rf"(?<!\\){re.escape(separator)}", line)
                            values = [re.sub(r"\\(.)", r"\1", value) for value in unescaped]
                        marks = ", ".join(["%s"] * len(values))
                        cursor.execute(f"INSERT INTO {copy['table']} VALUES ({marks})", values)
        finally:
            connection.close()
