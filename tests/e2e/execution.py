"""Executions of the state machines as a user starts them, waited for, and what they have reported."""

from __future__ import annotations

import json
import time
from typing import Any

from local.mwaa.aws_with_mwaa import AwsWithMwaa


def execute(
    aws: AwsWithMwaa, document: dict[str, Any], machine: str = "MigrateStateMachine"
) -> tuple[str, dict[str, Any]]:
    """Runs an input to its end, which must be a success; the execution's ARN and its output."""
    client = aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=aws.deployed.state_machines[machine], input=json.dumps(document)
    )["executionArn"]
    while (ended := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.5)
    assert ended["status"] == "SUCCEEDED", ended
    return execution, json.loads(ended["output"])


def report(aws: AwsWithMwaa, output: dict[str, Any]) -> dict[str, Any]:
    """The report that an execution's output names."""
    body = aws.client("s3").get_object(Bucket=output["bucket"], Key=output["report"])["Body"].read()
    told: dict[str, Any] = json.loads(body)
    return told
