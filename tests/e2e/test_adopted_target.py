"""A migration into an environment that a template of its owner has made, and what is done to it.

On environments without a scheduler: what is proven here are rows, files and settings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.wrappers import Response

from chaos import judge
from chaos.world import ACTIVE_DAGS, BUCKET, IMPORT_VERSION, Before, World, world
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from tests.e2e.execution import execute, report

TARGET = "adopted"
FOLDER = "owners/dags/"
OWNERS_FILE = "# of its owner\n"
OPTIONS = {"core.killed_task_cleanup_time": "1", "scheduler.job_heartbeat_sec": "1", "core.parallelism": "7"}


@dataclass
class Adopted:
    """`was` is the source before, `before` the target as GetEnvironment has it then."""

    here: World
    was: Before
    before: dict[str, Any]


def template(role: str, **properties: Any) -> str:
    """The owner's template."""
    environment = {
        "Name": TARGET,
        "AirflowVersion": IMPORT_VERSION,
        "EnvironmentClass": "mw1.medium",
        "ExecutionRoleArn": role,
        "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
        "DagS3Path": FOLDER.rstrip("/"),
        "NetworkConfiguration": {"SubnetIds": ["subnet-0c", "subnet-0d"], "SecurityGroupIds": ["sg-0c"]},
        "WebserverAccessMode": "PUBLIC_ONLY",
        "AirflowConfigurationOptions": OPTIONS,
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
        "MaxWorkers": 7,
        "Tags": {"owner": "platform"},
    }
    resource = {"Type": "AWS::MWAA::Environment", "Properties": environment | properties}
    return json.dumps({"Resources": {"Environment": resource}, "Outputs": {"Name": {"Value": {"Ref": "Environment"}}}})


def described(here: World) -> dict[str, Any]:
    """The target as GetEnvironment has it."""
    found: dict[str, Any] = here.aws.client("mwaa").get_environment(Name=TARGET)["Environment"]
    return found


def files(here: World) -> dict[str, str]:
    """The target's DAG files, with their content."""
    s3 = here.aws.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=FOLDER).get("Contents", [])]
    return {
        key.removeprefix(FOLDER): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in sorted(keys)
    }


def document(**options: Any) -> dict[str, Any]:
    return {
        "source": {"environment": "own"},
        "target": {"environment": TARGET, "adopt": True},
        "options": {"pollSeconds": 1, "dagRunTimeoutSeconds": 120, "parseTimeoutSeconds": 120, **options},
    }


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as made:
        source = made.make_source("own")
        made.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{FOLDER}source_dag_1.py", Body=OWNERS_FILE.encode())
        role = source.settings["ExecutionRoleArn"]
        made.aws.client("cloudformation").create_stack(StackName="platform", TemplateBody=template(role))
        yield made


@pytest.fixture
def asked(here: World) -> Iterator[list[str]]:
    """What the functions ask of Amazon MWAA, in order."""
    operations: list[str] = []

    def note(request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        if request.service == "mwaa":
            operations.append(request.operation.name)
        return carry_out()

    here.aws.endpoint.interceptor = note
    yield operations
    here.aws.endpoint.interceptor = None


@pytest.mark.timeout(600)
def test_its_owner_changes_it_meanwhile(here: World) -> None:
    was, states = judge.observe(here, here.aws.mwaa.environment("own")), here.aws.client("stepfunctions")
    role = was.environment.settings["ExecutionRoleArn"]
    changing: list[str] = []

    def change(request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        # When the probe has been triggered.
        answer = carry_out()
        if not changing and "TriggerDagRun" in principal.session_arn and request.operation.name == "PutObject":
            changing.append("once")
            here.aws.client("cloudformation").update_stack(
                StackName="platform",
                TemplateBody=template(role, MaxWorkers=9, AirflowConfigurationOptions={**OPTIONS, "core.x": "s3cret"}),
            )
        return answer

    here.aws.endpoint.interceptor = change
    machine = here.aws.deployed.state_machines["MigrateStateMachine"]
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(document()))["executionArn"]
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.2)
    here.aws.endpoint.interceptor = None
    assert (ended["status"], ended["error"]) == ("FAILED", "TargetChanged")
    assert "MaxWorkers, core.x of the adopted target adopted was changed" in ended["cause"]
    assert "s3cret" not in ended["cause"]
    assert judge.broken_rules(here, was, TARGET, TARGET, succeeded=False) == []
    assert files(here) == {"source_dag_1.py": OWNERS_FILE}
    assert described(here)["MaxWorkers"] == 9
    here.aws.client("cloudformation").update_stack(StackName="platform", TemplateBody=template(role))


@pytest.mark.timeout(600)
def test_it_gets_everything_and_none_of_its_settings_is_touched(here: World, asked: list[str]) -> None:
    was, before = judge.observe(here, here.aws.mwaa.environment("own")), described(here)
    _, output = execute(here.aws, document())
    assert judge.broken_rules(here, was, TARGET, output["migrationId"], succeeded=True) == []
    assert {*asked} & {"CreateEnvironment", "UpdateEnvironment", "DeleteEnvironment", "TagResource"} == set()
    assert described(here) == before
    told = report(here.aws, output)
    assert told["verified"]
    assert "MaxWorkers of adopted is 7; 10 is expected." in told["notes"]
    assert any("1 file of its owner stayed in place of the source's: source_dag_1.py" in note for note in told["notes"])
    there = files(here)
    assert set(there) == {f"{dag}.py" for dag in ACTIVE_DAGS}
    assert there["source_dag_1.py"] == OWNERS_FILE

    # Taken back by hand, it keeps what is its owner's and nothing else.
    taken_back = {"mode": "rollback", "migrationId": output["migrationId"], "options": {"pollSeconds": 1}}
    execute(here.aws, taken_back)
    assert described(here) == before
    assert files(here) == {"source_dag_1.py": OWNERS_FILE}
    assert {*asked} & {"CreateEnvironment", "UpdateEnvironment", "DeleteEnvironment", "TagResource"} == set()
