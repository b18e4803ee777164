"""The state machines as deployed, executed by the local AWS; each test says what the functions answer."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from werkzeug.wrappers import Response

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from tools import state_machines

REGION = "eu-west-1"
Event = dict[str, Any]

HOPS = ["3.2.1"]
MIGRATION: Event = {
    "id": "prod-3-0123456789",
    "mode": "migrate",
    "bucket": "exchange",
    "source": {"airflowVersion": "2.10.3"},
    "importVersion": "2.11.2",
    "hops": HOPS,
    "direct": False,
    "adopted": False,
    "wayIn": "worker",
    "finished": [],
    "rollBack": False,
    "options": {"logs": {"groups": ["Task"], "onlyFailed": False}},
}
READY = {"ready": True, "waitSeconds": 0, "waitedSeconds": 0}
# A log copy of two batches.
COPY: Event = {"bucket": "exchange", "workers": 2}
LISTED: Event = {
    "ready": True,
    "waitSeconds": 0,
    "progress": None,
    "copy": COPY,
    "manifest": "migrations/x/1/logs/manifest.json",
    "batches": 2,
}
NOT_READY = {"ready": False, "waitSeconds": 0, "waitedSeconds": 60}

# What the functions answer unless a test says otherwise: a migration that goes well.
WELL: dict[str, Any] = {
    "Plan": MIGRATION,
    "GrantAccess": {"roles": []},
    "StageSettings": {"files": {"dags": "prod-3/dags"}},
    "StageDags": {"objects": 1, "ours": 1},
    "StageRollBack": {"ours": 1},
    "CreateEnvironment": {"created": True},
    "PollEnvironment": READY,
    "CheckParsed": READY,
    "TriggerDagRun": {"runId": "run", "created": True},
    "CheckDagRun": READY,
    "Verify": {"tables": 1, "rows": 1},
    "UpdateEnvironment": {"updating": True},
    "FallBack": {**READY, "migration": MIGRATION},
    "GiveDagVersions": READY,
    "ListLogStreams": LISTED,
    "CopyLogEvents": {"ready": True, "waitSeconds": 0},
    "CollectLogResults": {"streams": 2},
    "CheckFiles": {"checks": 6},
    "CheckTarget": READY,
    "CutOver": {"ready": True, "waitSeconds": 0, "done": 1, "dags": 1},
    "RollBack": {**READY, "done": 0},
    "Report": {
        "status": "SUCCEEDED",
        "verdict": "pass",
        "key": "migrations/x/1/report.json",
        "downtimeSeconds": 1.0,
    },
    "CleanUp": READY,
    "PrepareRehearsal": {"migrationId": "prod-3-0123456789", "input": {"mode": "rehearse"}},
    "Sweep": READY,
}


# The runs of our DAGs that come after a run, as CheckDagRun and Verify say it: a base and one refresh before the delta.
AFTER = {
    "mwaa_migrator_export_base": "mwaa_migrator_import_base",
    "mwaa_migrator_export_refresh_1": "mwaa_migrator_import_refresh_1",
    "mwaa_migrator_export": "mwaa_migrator_import",
}
AFTER_IMPORT = {
    "mwaa_migrator_import_base": "mwaa_migrator_export_refresh_1",
    "mwaa_migrator_import_refresh_1": "mwaa_migrator_export",
}


def led_on(name: str, event: Event, answer: Any) -> Any:
    """An answer with the run that comes next, for tests that do not say it."""
    if not isinstance(answer, dict) or "next" in answer:
        return answer
    if name == "CheckDagRun":
        probes = {"mwaa_migrator_probe": "mwaa_migrator_target_probe"} if event["migration"]["direct"] else {}
        return {**answer, "next": (AFTER | probes).get(event["dag"], "") if answer["ready"] else ""}
    return {**answer, "next": AFTER_IMPORT.get(event["dag"], "")} if name == "Verify" else answer


class Fails(Exception):
    """An answer: the function fails with an error of this name."""

    def __init__(self, name: str, message: str = "what to do") -> None:
        super().__init__(message)
        self.name = name


# A value, a failure, a function of the event, or a list of these for successive calls; its last one stays.
Answer = Any | Fails | list[Any] | Callable[[Event], Any]


@dataclass
class Functions:
    """Answers Lambda's Invoke from a table, and records the calls."""

    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[tuple[str, Event]] = field(default_factory=list)
    #: Called with each call's number before it is answered.
    listener: Callable[[int], object] = lambda _: None

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "lambda" and request.operation.name == "Invoke"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        name = request.parameters["FunctionName"].rsplit(":", 1)[-1]
        event = json.load(environ["wsgi.input"])
        self.calls.append((name, event))
        self.listener(len(self.calls))
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(event)
        answer = led_on(name, event, answer)
        if isinstance(answer, Fails):
            failure = {"errorMessage": str(answer), "errorType": answer.name, "stackTrace": []}
            return Response(json.dumps(failure), headers={"X-Amz-Function-Error": "Unhandled"})
        return Response(json.dumps(answer))


@dataclass
class Outcome:
    """An execution that has ended: the states it entered, and the functions it called with their events, in order."""

    status: str
    error: str | None
    cause: str | None
    output: Any
    states: list[str]
    calls: list[tuple[str, Event]]

    def events(self, function: str) -> list[Event]:
        return [event for name, event in self.calls if name == function]


Execute = Callable[..., Outcome]


# Module-scoped: a process has one moto, which the local AWS of another test file resets.
@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[Endpoint, Functions]]:
    endpoint, functions = Endpoint(Identities()), Functions()
    endpoint.add(functions)
    with pytest.MonkeyPatch.context() as patch:
        # What is tested is how often a state is retried and what is entered next, not how long Step Functions waits.
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))
        patch.setattr(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.05)
        endpoint.start()
        yield endpoint, functions
        endpoint.stop()


def definition(name: str = "migrate") -> dict[str, Any]:
    """A state machine as it is deployed, but without the seconds between retries."""
    text = (state_machines.DEPLOYED / f"{name}.asl.json").read_text(encoding="utf-8")
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:"
    text = text.replace("${Partition}", "aws")
    text = re.sub(r"\$\{(\w+)FunctionArn\}", lambda found: arn + found[1], text)
    for resource, other in (("CopyLogs", "copy_logs"), ("Migrate", "migrate")):
        machine_arn = f"arn:aws:states:{REGION}:123456789012:stateMachine:{other}"
        text = text.replace(f"${{{resource}StateMachineArn}}", machine_arn)
    machine: dict[str, Any] = json.loads(text)
    for state in machine["States"].values():
        for one in [state, *state.get("ItemProcessor", {}).get("States", {}).values()]:
            for retry in one.get("Retry", []):
                retry.update(IntervalSeconds=1, BackoffRate=1, MaxDelaySeconds=2, JitterStrategy="NONE")
    return machine


@pytest.fixture(scope="module")
def machines(aws: tuple[Endpoint, Functions]) -> tuple[Any, dict[str, str]]:
    """A client of Step Functions, and the ARNs of the state machines there."""
    endpoint, _ = aws
    administrator = endpoint.identities.administrator

    def client(service: str) -> Any:
        return endpoint.client(service, administrator, REGION)

    iam, states, s3 = client("iam"), client("stepfunctions"), client("s3")
    s3.create_bucket(Bucket="exchange", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="exchange", Key=LISTED["manifest"], Body=json.dumps([{"index": 0}, {"index": 1}]).encode())
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": ["lambda:InvokeFunction", "states:*", "s3:GetObject"], "Resource": "*"}
    role = iam.create_role(
        RoleName="migrate", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]
    iam.put_role_policy(
        RoleName="migrate",
        PolicyName="invoke",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    return states, {
        name: states.create_state_machine(name=name, definition=json.dumps(definition(name)), roleArn=role["Arn"])[
            "stateMachineArn"
        ]
        for name in ("migrate", "copy_logs", "rehearse")
    }


@pytest.fixture
def execute(aws: tuple[Endpoint, Functions], machines: tuple[Any, dict[str, str]]) -> Execute:
    """Runs a state machine (default: migrate) to its end with `answers` in place of those of `WELL`.

    With `abort_at` it is stopped during the n-th call of a function, and redriven when it has ended.
    """
    functions, (states, arns) = aws[1], machines

    def run(seconds: float = 60, machine: str = "migrate", abort_at: int = 0, **answers: Answer) -> Outcome:
        functions.answers = {**WELL, **answers}
        functions.calls = []
        name = uuid.uuid4().hex
        execution = {"executionArn": f"{arns[machine].replace(':stateMachine:', ':execution:')}:{name}"}
        functions.listener = lambda number: number == abort_at and states.stop_execution(**execution)
        started = states.start_execution(stateMachineArn=arns[machine], name=name, input='{"source": {}}')
        assert started["executionArn"] == execution["executionArn"]
        deadline = time.monotonic() + seconds
        redriven = False
        while (told := states.describe_execution(**execution))["status"] == "RUNNING" or (abort_at and not redriven):
            if told["status"] != "RUNNING":
                assert told["status"] == "ABORTED"
                states.redrive_execution(**execution)
                redriven = True
            assert time.monotonic() < deadline, f"still runs: {functions.calls[-3:]}"
            time.sleep(0.1)
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for page in states.get_paginator("get_execution_history").paginate(executionArn=started["executionArn"])
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]
        output = json.loads(told["output"]) if told.get("output") else None
        return Outcome(told["status"], told.get("error"), told.get("cause"), output, entered, functions.calls)

    return run
