"""The endpoint as a client sees it: functions, their permissions, state machines that call them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.functions.function import Function
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from tests.integration.engine.commands import eventually
from tests.integration.local.conftest import MakeRole

HANDLER = """
import os
import time
from concurrent.futures import ThreadPoolExecutor

import boto3


def handler(event, context):
    print("asked to", event)
    what = event.get("do")
    if what == "raise":
        raise ValueError("on purpose")
    if what == "sleep":
        time.sleep(30)
    if what == "exit":
        os._exit(3)
    if what == "fill memory":
        return len(bytearray(1 << 30))
    if what == "environment":
        return dict(os.environ)
    if what == "read":
        return boto3.client("s3").get_object(Bucket="data", Key=event["key"])["Body"].read().decode()
    return {"remaining": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:Worker"


@pytest.fixture(scope="module")
def worker(aws: AwsWithMwaa, make_role: MakeRole, tmp_path_factory: pytest.TempPathFactory) -> str:
    package: Path = tmp_path_factory.mktemp("package")
    (package / "app.py").write_text(HANDLER)
    role = make_role(
        "WorkerRole",
        "lambda.amazonaws.com",
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/allowed/*"},
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
    )
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": aws.region})
    for key in ("allowed/1", "secret/1"):
        s3.put_object(Bucket="data", Key=key, Body=b"content")
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/Worker")
    aws.functions.register(
        Function(
            "Worker",
            FUNCTION,
            "app.handler",
            "python3.13",
            package,
            role,
            3,
            256,
            {"NAME": "value"},
            "/aws/lambda/Worker",
        )
    )
    return "Worker"


def invoke(aws: AwsWithMwaa, function: str, event: dict[str, Any]) -> tuple[str | None, Any]:
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_a_function_answers(aws: AwsWithMwaa, worker: str) -> None:
    error, payload = invoke(aws, worker, {})
    assert error is None
    assert payload["arn"] == FUNCTION
    assert 0 < payload["remaining"] <= 3000


@pytest.mark.parametrize(
    ("do", "name"),
    [
        ("raise", "ValueError"),
        ("sleep", "Sandbox.Timedout"),
        ("exit", "Runtime.ExitError"),
        ("fill memory", "MemoryError"),
    ],
)
def test_a_function_fails_with_a_name(aws: AwsWithMwaa, worker: str, do: str, name: str) -> None:
    error, payload = invoke(aws, worker, {"do": do})
    assert (error, payload["errorType"]) == ("Unhandled", name)
    assert invoke(aws, worker, {})[0] is None


def test_a_function_sees_lambda_and_the_template_only(
    aws: AwsWithMwaa, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_OF_SECRETS", "leaks")
    _, variables = invoke(aws, worker, {"do": "environment"})
    assert variables["NAME"] == "value"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "Worker"
    assert "HOME_OF_SECRETS" not in variables
    assert "HOME" not in variables


def test_a_function_may_do_what_its_role_allows(aws: AwsWithMwaa, worker: str) -> None:
    assert invoke(aws, worker, {"do": "read", "key": "allowed/1"}) == (None, "content")
    error, payload = invoke(aws, worker, {"do": "read", "key": "secret/1"})
    assert (error, payload["errorType"]) == ("Unhandled", "AccessDenied")
    assert "assumed-role/WorkerRole/Worker is not authorized to perform: s3:GetObject" in payload["errorMessage"]
    decisions = {(call.action, call.resource): call.decision for call in aws.endpoint.record.calls()}
    assert decisions["s3:GetObject", "arn:aws:s3:::data/allowed/1"] == "allowed"
    assert decisions["s3:GetObject", "arn:aws:s3:::data/secret/1"] == "not allowed"


def test_permissions_arrive_late(aws: AwsWithMwaa, worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERMISSION_DELAY_SECONDS", "1.5")
    s3, kms = aws.client("s3"), aws.client("kms")
    role = "arn:aws:iam::123456789012:role/WorkerRole"
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    s3.put_object(Bucket="data", Key="late", Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "s3:GetObject", "Resource": "*"}
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def refused() -> str:
        error, payload = invoke(aws, worker, {"do": "read", "key": "late"})
        return payload["errorMessage"].partition("perform: ")[2].split(" ")[0] if error else ""

    assert refused() == "s3:GetObject"
    eventually(lambda: refused() == "kms:Decrypt")
    kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"])
    assert refused() == "kms:Decrypt"
    eventually(lambda: refused() == "")
    s3.delete_bucket_policy(Bucket="data")
    assert refused() == ""
    eventually(lambda: refused() == "s3:GetObject")


def test_policies_of_roles_and_keys_arrive_late(aws: AwsWithMwaa, worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, kms, iam = aws.client("s3"), aws.client("kms"), aws.client("iam")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    s3.put_object(Bucket="data", Key="later", Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    monkeypatch.setenv("PERMISSION_DELAY_SECONDS", "1.5")

    def refused() -> str:
        error, payload = invoke(aws, worker, {"do": "read", "key": "later"})
        return payload["errorMessage"].partition("perform: ")[2].split(" ")[0] if error else ""

    def document(**statement: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

    policy = document(Action="s3:GetObject", Resource="arn:aws:s3:::data/later")
    iam.put_role_policy(RoleName="WorkerRole", PolicyName="later", PolicyDocument=policy)
    assert refused() == "s3:GetObject"
    eventually(lambda: refused() == "kms:Decrypt")
    own = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    role = {"AWS": "arn:aws:iam::123456789012:role/WorkerRole"}
    kms.put_key_policy(
        KeyId=key, PolicyName="default", Policy=document(Principal=role, Action="kms:Decrypt", Resource="*")
    )
    assert refused() == "kms:Decrypt"
    eventually(lambda: refused() == "")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=own)
    assert refused() == ""
    eventually(lambda: refused() == "kms:Decrypt")
    managed = iam.create_policy(PolicyName="decrypt", PolicyDocument=document(Action="kms:Decrypt", Resource="*"))
    iam.attach_role_policy(RoleName="WorkerRole", PolicyArn=managed["Policy"]["Arn"])
    assert refused() == "kms:Decrypt"
    eventually(lambda: refused() == "")
    iam.detach_role_policy(RoleName="WorkerRole", PolicyArn=managed["Policy"]["Arn"])
    iam.delete_role_policy(RoleName="WorkerRole", PolicyName="later")
    assert refused() == ""
    eventually(lambda: refused() == "s3:GetObject")


def test_who_may_not_list_a_bucket_is_not_told_what_is_missing(aws: AwsWithMwaa, worker: str) -> None:
    _, payload = invoke(aws, worker, {"do": "read", "key": "allowed/none"})
    assert payload["errorType"] == "AccessDenied"


def test_what_a_function_prints_is_in_its_log_group(aws: AwsWithMwaa, worker: str) -> None:
    invoke(aws, worker, {"do": "mark-4711"})
    logs = aws.client("logs")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = logs.filter_log_events(logGroupName="/aws/lambda/Worker", filterPattern="mark-4711")["events"]
        if found:
            return
        time.sleep(0.2)
    pytest.fail("the line did not arrive")


def test_an_unknown_function(aws: AwsWithMwaa) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.client("lambda").invoke(FunctionName="Nobody")


def test_an_unknown_access_key_is_refused(aws: AwsWithMwaa) -> None:
    stranger = type(aws.identities.administrator)("AKIASTRANGER", "secret")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        aws.client("logs", stranger).describe_log_groups()


DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "Remember",
    "States": {
        "Remember": {
            "Type": "Pass",
            "Assign": {"what": "{% $states.input.do %}", "quoted": '{% "a \\"quoted\\"\\nline" %}', "waits": 0},
            "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": "{% $waits %}", "Next": "Work"},
        "Work": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "Worker", "Payload": {"do": "{% $what %}"}},
            "Output": "{% {'remaining': $states.result.Payload.remaining > 0, 'quoted': $quoted} %}",
            "Retry": [{"ErrorEquals": ["Runtime.ExitError"], "MaxAttempts": 1, "IntervalSeconds": 1}],
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Output": "{% {'error': $states.errorOutput.Error} %}",
                    "Next": "Caught",
                }
            ],
            "Next": "Choose",
        },
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $exists($states.input.remaining) and $length($quoted) = 15 %}", "Next": "Done"}
            ],
            "Default": "Caught",
        },
        "Caught": {"Type": "Pass", "End": True},
        "Done": {"Type": "Succeed"},
    },
}


@pytest.fixture(scope="module")
def machine(aws: AwsWithMwaa, worker: str, make_role: MakeRole) -> str:
    role = make_role(
        "MachineRole",
        "states.amazonaws.com",
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:*:function:Worker"},
    )
    created = aws.client("stepfunctions").create_state_machine(
        name="machine", definition=json.dumps(DEFINITION), roleArn=role
    )
    return str(created["stateMachineArn"])


def execute(aws: AwsWithMwaa, machine: str, event: dict[str, Any]) -> Any:
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]
    while (described := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.1)
    assert described["status"] == "SUCCEEDED"
    return json.loads(described["output"])


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("nothing", {"remaining": True, "quoted": 'a "quoted"\nline'}),
        ("raise", {"error": "ValueError"}),
        ("sleep", {"error": "Sandbox.Timedout"}),
        ("exit", {"error": "Runtime.ExitError"}),
    ],
)
def test_a_state_machine_calls_the_function(aws: AwsWithMwaa, machine: str, do: str, expected: Any) -> None:
    assert execute(aws, machine, {"do": do}) == expected


def test_an_inactive_function_fails_with_its_name_until_it_is_ready(
    aws: AwsWithMwaa, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_STATE", "Inactive")
    (worker,) = [function for function in aws.functions.functions() if function.name == "Worker"]
    aws.functions.register(replace(worker, in_vpc=True))
    assert execute(aws, machine, {"do": "nothing"}) == {"error": "Lambda.ResourceNotReadyException"}
    assert execute(aws, machine, {"do": "nothing"}) == {"error": "Lambda.ResourceConflictException"}
    assert execute(aws, machine, {"do": "nothing"})["remaining"]
    # One that nobody has woken is replaced by one that is active.
    aws.functions.register(replace(worker, in_vpc=True))
    aws.functions.register(worker)
    assert execute(aws, machine, {"do": "nothing"})["remaining"]


def test_a_state_machine_needs_the_right_to_call_the_function(aws: AwsWithMwaa, machine: str) -> None:
    iam = aws.client("iam")
    policy = iam.get_role_policy(RoleName="MachineRole", PolicyName="permissions")["PolicyDocument"]
    iam.delete_role_policy(RoleName="MachineRole", PolicyName="permissions")
    try:
        assert "AccessDenied" in execute(aws, machine, {"do": "nothing"})["error"]
    finally:
        iam.put_role_policy(RoleName="MachineRole", PolicyName="permissions", PolicyDocument=json.dumps(policy))


def test_of_many_conditional_writes_one_succeeds(aws: AwsWithMwaa) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="contended", CreateBucketConfiguration={"LocationConstraint": aws.region})

    def is_written(number: int) -> bool:
        try:
            s3.put_object(Bucket="contended", Key="lock", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(is_written, range(40))) == 1
