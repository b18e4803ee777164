"""What a rehearsal writes into its output folder: the report, and what one needs to find out why something failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application
from local.rehearsal.target_inspection import TargetInspection, log_lines
from migration.exchange import layout


def write(out: Path, aws: AwsWithMwaa, report: Mapping[str, Any], execution: str, inspection: TargetInspection) -> None:
    """Writes report.json, the pages beside it, functions.log, tasks.log, calls.json and history.json."""
    (out / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    _write_pages(out, aws, report)
    _write_logs(out / "functions.log", aws, "/aws/lambda/", "", [])
    _write_logs(out / "tasks.log", aws, "airflow-rehearsal-", "-Task", inspection.task_log())
    calls = [{**call.__dict__, "times": times} for call, times in aws.endpoint.record.calls().items()]
    (out / "calls.json").write_text(json.dumps(calls, indent=2) + "\n")
    (out / "history.json").write_text(json.dumps(_histories(aws, execution), indent=2, default=str) + "\n")


def _write_pages(out: Path, aws: AwsWithMwaa, report: Mapping[str, Any]) -> None:
    """The page and the summary that the report function has written beside the report."""
    bucket = aws.deployed.resources[application.EXCHANGE_BUCKET]
    for name in (layout.report("html"), layout.report("md")):
        (out / name).unlink(missing_ok=True)
        # A plan that was refused has no report.
        if "migration_id" in report:
            key = f"{layout.attempt(report['migration_id'], report['attempt'])}/{name}"
            (out / name).write_bytes(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def _write_logs(file: Path, aws: AwsWithMwaa, prefix: str, suffix: str, more: list[str]) -> None:
    logs = aws.client("logs")
    with file.open("w") as opened:
        for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
            if group["logGroupName"].endswith(suffix):
                opened.writelines(f"{line}\n" for line in log_lines(logs, group["logGroupName"]))
        opened.writelines(f"{line}\n" for line in more)


def _histories(aws: AwsWithMwaa, execution: str) -> dict[str, list[dict[str, Any]]]:
    """The events of an execution, and of the migration that is in a rehearsal, by their state machines' names."""
    states, machines = aws.client("stepfunctions"), aws.deployed.state_machines
    found = {}
    for name in application.STATE_MACHINES.values():
        arn = f"{machines[name].replace(':stateMachine:', ':execution:')}:{execution.rsplit(':', 1)[-1]}"
        try:
            found[name] = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        except states.exceptions.ExecutionDoesNotExist:
            # A migration is in no rehearsal, and a rehearsal that was refused has none.
            continue
    return found
