"""The doctor finds nothing in a local AWS that tells the truth, and one thing where it lies in one."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.wrappers import Response

from local.aws.request import AwsRequest
from local.aws.responses import AwsError
from local.mwaa import cli_endpoint as local_endpoint
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from mwaa_migrator_cli.doctor import cli_endpoint, examination, probe

from .conftest import Change, Doctor, Finding

Lie = Callable[[str, Change], None]
# They are asked with --probe only.
PROBED = {check.name for check in probe.CHECKS}


def unexpected(findings: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(one["check"], one["answer"], one["stops"]) for one in findings if one["answer"] != "expected"]


def answer(status: int, stdout: str = "", stderr: str = "") -> Response:
    content = {
        name: base64.b64encode(text.encode()).decode() for name, text in (("stdout", stdout), ("stderr", stderr))
    }
    return Response(json.dumps(content), status)


@pytest.mark.parametrize(("status", "airflow"), [(400, "2.11.2"), (200, "2.11.2"), (400, "3.2.1"), (200, "3.2.1")])
def test_nothing_is_found_in_either_of_two_truths(
    doctor: Doctor, environment: Environment, monkeypatch: pytest.MonkeyPatch, status: int, airflow: str
) -> None:
    monkeypatch.setattr(environment.cli, "_failure", status)
    # The web server of 3.x redirects.
    monkeypatch.setattr(environment.cli, "_airflow_version", lambda: airflow)
    code, findings = doctor()
    assert (unexpected(findings), code) == ([], 0)
    assert {one["check"] for one in findings} == {check.name for check in examination.CHECKS} - PROBED


def test_a_path_that_is_not_there_stops_a_migration(
    doctor: Doctor, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_endpoint, "_PATH", "/aws_mwaa/airflow/")
    code, findings = doctor()
    assert code == 1
    assert ("cli-path", "different", True) in unexpected(findings)
    # Whatever else is asked of a web server that is not there stays unknown.
    assert {(name, told) for name, told, _ in unexpected(findings)} - {("cli-path", "different")} == {
        (check.name, "unknown") for check in cli_endpoint.CHECKS if check.name not in ("cli-path", "cli-long-line")
    } | {("cli-long-line", "different")}


def test_a_failure_that_nobody_would_see_stops_a_migration(doctor: Doctor, environment: Environment) -> None:
    def hide(command: str, carry_out: Callable[[], Response]) -> Response:
        return answer(200, stdout="it failed") if "states-for-dag-run" in command else carry_out()

    environment.cli.interceptor = hide
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("cli-failure", "different", True)], 1)


def test_commands_that_are_not_allowed(doctor: Doctor, environment: Environment) -> None:
    def forbid(command: str, carry_out: Callable[[], Response]) -> Response:
        return answer(400, stderr="unsupported command") if command.startswith("dags list") else carry_out()

    environment.cli.interceptor = forbid
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("cli-commands", "different", False)], 3)


def test_a_line_that_is_too_long(doctor: Doctor, environment: Environment) -> None:
    def cut(command: str, carry_out: Callable[[], Response]) -> Response:
        return Response("Request Entity Too Large", 413) if len(command) > 4096 else carry_out()

    environment.cli.interceptor = cut
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("cli-long-line", "different", False)], 3)


def test_commands_that_take_long(doctor: Doctor, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(command: str, carry_out: Callable[[], Response]) -> Response:
        time.sleep(1.1)
        return carry_out()

    environment.cli.interceptor = wait
    monkeypatch.setattr(cli_endpoint, "SECONDS_A_COMMAND", 0.5)
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("cli-seconds", "different", False)], 3)


def test_a_key_of_aws_that_is_named(doctor: Doctor, lie: Lie) -> None:
    key = "arn:aws:kms:us-east-1:999999999999:key/11111111-2222-3333-4444-555555555555"

    def name_it(content: dict[str, Any]) -> None:
        content["Environment"]["KmsKey"] = key

    lie("GetEnvironment", name_it)
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("kms-key", "different", True)], 1)


def test_a_field_that_the_sdk_does_not_know(doctor: Doctor, lie: Lie) -> None:
    lie("GetEnvironment", lambda content: content["Environment"].update(Turbo=True))
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("get-environment", "different", False)], 3)


def test_a_state_machine_that_step_functions_finds_fault_with(doctor: Doctor, lie: Lie) -> None:
    def break_it(content: dict[str, Any]) -> None:
        content["definition"] = content["definition"].replace("$exists($states.errorOutput.Cause)", "$exits(1)")

    lie("DescribeStateMachine", break_it)
    code, findings = doctor()
    assert code == 1
    assert set(unexpected(findings)) == {("state-machines", "different", True)}


def test_rights_that_a_boundary_takes(doctor: Doctor, aws: AwsWithMwaa) -> None:
    iam, role = aws.client("iam"), aws.deployed.functions["CutOverFunction"].role_arn.rsplit("/", 1)[-1]
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    try:
        code, findings = doctor()
    finally:
        iam.delete_role_permissions_boundary(RoleName=role)
    assert (unexpected(findings), code) == ([("rights", "different", True)], 1)
    (found,) = [one["found"] for one in findings if one["check"] == "rights"]
    assert "CutOverFunction may not airflow:CreateCliToken on arn:aws:airflow:" in found
    assert "s3:" not in found


def test_a_key_that_the_stack_was_not_given(doctor: Doctor, aws: AwsWithMwaa, lie: Lie) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]
    lie("GetEnvironment", lambda content: content["Environment"].update(KmsKey=key["KeyId"]))
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("rights", "different", True)], 1)
    (found,) = [one["found"] for one in findings if one["check"] == "rights"]
    missing = re.findall(r"(\w+) may not kms:CreateGrant, [^;]* on ([^;]*)", found)
    assert missing == [(name, key["Arn"]) for name in ("CreateEnvironmentFunction", "UpdateEnvironmentFunction")]


def test_an_alarm_that_the_key_does_not_let_through(doctor: Doctor, aws: AwsWithMwaa) -> None:
    kms, key = aws.client("kms"), aws.deployed.resources["Key"]
    # moto has it parsed where CloudFormation made the key.
    policy = json.dumps(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    narrowed = policy.replace("cloudwatch.amazonaws.com", "s3.amazonaws.com")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=narrowed)
    try:
        code, findings = doctor()
    finally:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert (unexpected(findings), code) == ([("alarm", "different", False)], 3)
    (found,) = [one["found"] for one in findings if one["check"] == "alarm"]
    assert found.startswith("Failed to execute action the topic.")


def test_an_alarm_is_put_back_as_it_was(doctor: Doctor, aws: AwsWithMwaa) -> None:
    cloudwatch = aws.client("cloudwatch")
    before = [(one["AlarmName"], one["StateValue"]) for one in cloudwatch.describe_alarms()["MetricAlarms"]]
    doctor()
    after = [(one["AlarmName"], one["StateValue"]) for one in cloudwatch.describe_alarms()["MetricAlarms"]]
    assert before
    assert after == before


def test_an_sdk_that_is_older(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.__version__", "1.999.0")
    code, findings = doctor()
    assert (unexpected(findings), code) == ([("sdk", "different", False)], 3)


def test_an_environment_in_another_region_is_asked_there(doctor: Doctor, aws: AwsWithMwaa) -> None:
    region = "us-east-1"
    asked: set[str] = set()
    simulated: set[str] = set()

    def intercept(request: AwsRequest, principal: Any, carry_out: Callable[[], Response]) -> Response:
        response = carry_out()
        if request.operation.name == "GetEnvironment":
            content = json.loads(response.get_data())
            content["Environment"]["Arn"] = content["Environment"]["Arn"].replace(aws.region, region)
            response.set_data(json.dumps(content))
        if request.service == "mwaa":
            asked.add(request.region)
        if request.operation.name == "SimulatePrincipalPolicy":
            simulated.update(arn for arn in request.parameters["ResourceArns"] if ":airflow:" in arn)
        return response

    aws.endpoint.interceptor = intercept
    try:
        code, findings = doctor("--source-region", region)
    finally:
        aws.endpoint.interceptor = None
    assert (unexpected(findings), code) == ([], 0)
    assert asked == {region}
    assert {arn.split(":")[3] for arn in simulated} == {region}


def test_a_right_that_the_person_lacks_is_no_answer(doctor: Doctor, aws: AwsWithMwaa) -> None:

    def refuse(request: Any, principal: Any, carry_out: Callable[[], Response]) -> Response:
        if request.operation.name == "ValidateStateMachineDefinition":
            raise AwsError("AccessDeniedException", "not authorized", 403)
        return carry_out()

    aws.endpoint.interceptor = refuse
    try:
        code, findings = doctor()
    finally:
        aws.endpoint.interceptor = None
    assert code == 3
    assert {one["check"]: one["found"] for one in findings if one["answer"] == "unknown"}.keys() == {"state-machines"}
