"""What people see of each command, and the exit code that CI goes by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from migration.report import page
from mwaa_migrator_cli import account, executions, watching
from mwaa_migrator_cli.reminder import Reminder
from tests.unit.functions.conftest import REGION, Environments, tell_dags
from tools.example_report import example

from .conftest import TEMPLATE, Run

Write = Callable[..., str]
EXECUTION = f"arn:aws:states:{REGION}:123456789012:execution:migrate:one"


def objects() -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="exchange").get("Contents", [])]


def leave(key: str, content: Any) -> None:
    body = content if isinstance(content, str) else json.dumps(content)
    boto3.client("s3").put_object(Bucket="exchange", Key=key, Body=body.encode())


def test_help_waits_for_nothing_that_is_slow_to_import() -> None:
    script = (
        "import sys\nfrom mwaa_migrator_cli.commands import cli\n"
        "cli.main(['plan', '--help'], standalone_mode=False)\n"
        "print({'boto3', 'botocore', 'rich', 'jinja2', 'migration'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Show what a migration would do" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_version(run: Run) -> None:
    assert run("--version").stdout.endswith(" version 0.1.0\n")


# plan


def test_plan_shows_the_path_the_steps_and_what_differs(run: Run, write: Write, mwaa: Environments) -> None:
    mwaa.all["prod-2-10"] |= {"MaxWorkers": 10, "Tags": {"team": "data"}, "Arn": "arn", "CreatedAt": "then"}
    mwaa.all["prod-2-10"]["AirflowConfigurationOptions"]["webserver.secret_key"] = "hunter2"
    overrides = {"MaxWorkers": 5, "AirflowConfigurationOptions": {"core.parallelism": "64"}}
    target = {"environment": "prod-3", "airflowVersion": "3.2.1", "overrides": overrides}
    told = run("plan", write(target=target, options={"path": "through-2.11"}))
    assert told.exit_code == 0, told.output
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert lines[0] == "Airflow 2.10.3 → 2.11.2 → 3.2.1"
    assert "1. create prod-3 at 2.11.2, its DAGs in s3://dags/prod-3/dags" in lines
    assert next(line for line in lines if line.startswith("2. check the source's database")).endswith(
        "estimate time and disk"
    )
    assert "3. ask the target which DAGs it cannot import or has not parsed" in lines
    assert next(line for line in lines if line.startswith("4. check the DAGs' code")).endswith(
        "; what fails there and works in the source ends the migration here"
    )
    assert next(line for line in lines if line.startswith("5. export the whole history")).endswith("DAGs go on")
    assert "6. copy the log events of 14 days of Task, while the source's DAGs go on" in lines
    assert "7. move what has changed since then" in lines
    assert "8. pause the source's DAGs and wait up to 900 s for running tasks" in lines
    assert "9. move what has changed since then, and compare every row of it" in lines
    assert "10. upgrade the target in place to 3.2.1" in lines
    assert "11. copy what Task got since then" in lines
    assert "13. let old task instances of the target be cleared and run again" in lines
    assert "AirflowVersion 2.10.3 3.2.1" in lines
    assert "MaxWorkers 10 5" in lines
    assert "core.parallelism \N{EN DASH} 64" in lines
    assert "core.dag_concurrency (set) \N{EN DASH}" in lines
    assert "core.max_active_tasks_per_dag \N{EN DASH} (set)" in lines
    assert "- core.dag_concurrency is now core.max_active_tasks_per_dag." in lines
    assert "DagS3Path dags prod-3/dags" in lines
    assert lines[-1] == "No problems found."
    assert "hunter2" not in told.output
    assert not [line for line in lines if line.startswith(("Arn", "CreatedAt", "team", "NetworkConfiguration"))]


def test_plan_of_the_direct_path_has_no_upgrade_in_place(run: Run, write: Write, mwaa: Environments) -> None:
    lines = [" ".join(line.split()) for line in run("plan", write()).stdout.splitlines()]
    assert lines[0] == "Airflow 2.10.3 → 3.2.1"
    assert "1. create prod-3 at 3.2.1, its DAGs in s3://dags/prod-3/dags" in lines
    assert "3. check that the target lets its tasks into its database" in lines
    assert not [line for line in lines if "in place" in line]


def test_plan_of_an_adopted_target_shows_the_lines_that_its_owners_code_needs(
    run: Run, write: Write, mwaa: Environments
) -> None:
    source = mwaa.all["prod-2-10"]
    options = {"core.parallelism": "64", "secrets.backend_kwargs": "hunter2"}
    logging = {"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}}
    source |= {"MaxWorkers": 10, "AirflowConfigurationOptions": options, "LoggingConfiguration": logging}
    mwaa.all["prod-3"] = source | {
        "Name": "prod-3",
        "AirflowVersion": "3.2.1",
        "DagS3Path": "owners/dags",
        "MaxWorkers": 5,
        "AirflowConfigurationOptions": {"core.x": "1"},
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "ERROR"}},
    }
    before = json.dumps(mwaa.all)
    told = run("plan", write(target={"environment": "prod-3", "adopt": True}))
    assert told.exit_code == 0, told.output
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert lines[0] == "Airflow 2.10.3 → 3.2.1"
    assert "1. take prod-3 as it is, with the source's DAGs beside those in s3://dags/owners/dags" in lines
    started = lines.index("The option core.parallelism of prod-3 is missing.")
    assert lines[started : started + 15] == [
        "The option core.parallelism of prod-3 is missing.",
        "CloudFormation core.parallelism: '64' (in AirflowConfigurationOptions)",
        'Terraform "core.parallelism" = "64" (in airflow_configuration_options)',
        "The option core.x of prod-3 is not expected.",
        "CloudFormation without core.x (in AirflowConfigurationOptions)",
        'Terraform without "core.x" (in airflow_configuration_options)',
        "The option secrets.backend_kwargs of prod-3 is missing.",
        "CloudFormation secrets.backend_kwargs: !Ref SecretsBackendKwargs (in AirflowConfigurationOptions)",
        'Terraform "secrets.backend_kwargs" = var.secrets_backend_kwargs (in airflow_configuration_options)',
        "LoggingConfiguration.TaskLogs.LogLevel of prod-3 is ERROR; INFO is expected.",
        "CloudFormation LogLevel: INFO (in LoggingConfiguration.TaskLogs)",
        'Terraform log_level = "INFO" (in logging_configuration.task_logs)',
        "MaxWorkers of prod-3 is 5; 10 is expected.",
        "CloudFormation MaxWorkers: 10",
        "Terraform max_workers = 10",
    ]
    assert lines[-1] == "No problems found."
    assert "hunter2" not in told.output
    assert set(mwaa.calls) == {"GetEnvironment"}
    assert json.dumps(mwaa.all) == before


@pytest.mark.parametrize(
    ("target", "note"),
    [
        ("pandas\n", "- prod-3's requirements.txt lacks Polars==1.2, which the source's has."),
        ("pandas==2\npolars\n", ""),
        (None, "- The two requirements.txt could not be compared: s3://dags/own/requirements.txt, version latest"),
    ],
)
def test_plan_of_an_adopted_target_names_what_its_requirements_lack(
    run: Run, write: Write, mwaa: Environments, target: str | None, note: str
) -> None:
    """Its owner's code deploys them, so nothing is staged."""
    s3 = boto3.client("s3")
    s3.put_object(Bucket="dags", Key="requirements.txt", Body=b"-c https://example.com/c.txt\nPolars==1.2\npandas>1\n")
    if target is not None:
        s3.put_object(Bucket="dags", Key="own/requirements.txt", Body=target.encode())
    own = {
        "Name": "prod-3",
        "AirflowVersion": "3.2.1",
        "DagS3Path": "own",
        "RequirementsS3Path": "own/requirements.txt",
    }
    mwaa.all["prod-3"] = mwaa.all["prod-2-10"] | own
    told = run("plan", write(target={"environment": "prod-3", "adopt": True}))
    assert told.exit_code == 0, told.output
    notes = [line for line in told.stdout.splitlines() if "requirements.txt" in line and line.startswith("-")]
    assert [line[: len(note)] for line in notes] == ([note] if note else [])


def test_plan_of_an_adopted_target_that_is_as_expected(run: Run, write: Write, mwaa: Environments) -> None:
    mwaa.all["prod-2-10"]["AirflowConfigurationOptions"] = {}
    mwaa.all["prod-3"] = mwaa.all["prod-2-10"] | {"Name": "prod-3", "AirflowVersion": "3.2.1", "DagS3Path": "own"}
    told = run("plan", write(target={"environment": "prod-3", "adopt": True}, options={"copyDags": False}))
    assert "prod-3 has every setting as expected." in told.stdout
    assert "take prod-3 as it is, with only our DAGs added to s3://dags/own" in told.stdout


def test_plan_changes_nothing(run: Run, write: Write, mwaa: Environments) -> None:
    before = json.dumps(mwaa.all)
    assert run("plan", write()).exit_code == 0
    assert set(mwaa.calls) == {"GetEnvironment"}
    assert json.dumps(mwaa.all) == before
    assert objects() == []


def test_plan_of_a_rehearsal_pauses_nothing(run: Run, write: Write, mwaa: Environments) -> None:
    told = run("plan", write(mode="rehearse", options={"smokeTest": ["orders", "reports"]}))
    assert "pause" not in told.stdout
    assert "or has not parsed, and run orders, reports there" in " ".join(told.stdout.split())
    assert "report, and delete the target" in told.stdout


def test_plan_of_a_rehearsal_shows_how_large_its_target_is(run: Run, write: Write, mwaa: Environments) -> None:
    mwaa.all["prod-2-10"] |= {"EnvironmentClass": "mw1.large", "MinWorkers": 4}
    tell_dags(120)
    told = run("plan", write(mode="rehearse"))
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert "EnvironmentClass mw1.large mw1.medium" in lines, told.output
    assert "MinWorkers 4 1" in lines
    assert any(line.startswith("- The target is mw1.medium, the smallest class for the source's 120") for line in lines)


@pytest.mark.parametrize(
    ("logs", "copies"),
    [
        (
            {"days": None, "groups": ["Task", "Worker"]},
            [
                "6. copy all log events of Task, Worker, while the source's DAGs go on",
                "11. copy what Task, Worker got since then",
            ],
        ),
        ({"onlyFailed": True}, ["10. copy the log events of 14 days of Task, of failed task instances only"]),
        ({"groups": []}, []),
    ],
)
def test_plan_says_which_logs_are_copied_and_when(
    run: Run, write: Write, mwaa: Environments, logs: dict[str, Any], copies: list[str]
) -> None:
    told = run("plan", write(options={"path": "through-2.11", "logs": logs}))
    assert told.exit_code == 0, told.output
    assert [line.strip() for line in told.stdout.splitlines() if ". copy" in line] == copies


def test_plan_shows_every_fault_at_once(run: Run, write: Write, mwaa: Environments) -> None:
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE"}
    mwaa.all["prod-2-10"]["ExecutionRoleArn"] = "arn:aws:iam::123456789012:role/gone"
    boto3.client("s3").put_bucket_versioning(Bucket="dags", VersioningConfiguration={"Status": "Suspended"})
    told = run("plan", write(target={"environment": "prod-3", "airflowVersion": "2.9.2"}))
    assert told.exit_code == 1
    for name in ("SourceNotAvailable", "TargetExists", "Downgrade", "BucketNotVersioned", "RoleNotFound"):
        assert f"{name} at " in told.stdout


def test_plan_without_a_source(run: Run, write: Write, mwaa: Environments) -> None:
    told = run("plan", write(source={"environment": "gone"}))
    assert told.exit_code == 1
    assert "SourceNotFound at source.environment" in told.stdout


@pytest.mark.parametrize("command", ["plan", "start", "rehearse"])
@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{", ["is not JSON"]),
        ("[]", ["InvalidType at the input"]),
        ('{"sauce": 1}', ["MissingField at source", "MissingField at target", "did you mean 'source'?"]),
    ],
)
def test_wrong_input(run: Run, write: Write, mwaa: Environments, command: str, text: str, problems: list[str]) -> None:
    told = run(command, write(text))
    assert told.exit_code == 2
    assert all(problem in told.stderr for problem in problems)
    assert told.stdout == ""


def test_an_input_from_standard_input(run: Run, write: Write, mwaa: Environments) -> None:
    assert run("plan", "-", stdin=Path(write()).read_text()).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", "nowhere.json"], "does not exist"),
        (["start"], "Missing argument"),
        (["watch", "arn:aws:s3:::bucket"], "is no execution's ARN"),
        (["report", "x", "--format", "pdf"], "is not one of"),
    ],
)
def test_wrong_options(run: Run, arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


# The account


def test_no_stack(run: Run, write: Write) -> None:
    told = run("plan", write(), "--stack", "other")
    assert told.exit_code == 2
    assert f"There is no stack other in {REGION}." in told.stderr


def test_a_stack_of_something_else(run: Run, write: Write) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=json.dumps(template))
    told = run("start", write(), "--stack", "other")
    assert told.exit_code == 2
    assert "is not mwaa-migrator's: it has no 'StateMachineArn'" in told.stderr


def test_no_region(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    told = run("plan", write())
    assert told.exit_code == 2
    assert "Give --region" in told.stderr


def test_no_such_profile(run: Run, write: Write) -> None:
    told = run("plan", write(), "--profile", "nobody")
    assert told.exit_code == 2
    assert "nobody" in told.stderr


def test_region_and_profile_reach_the_functions_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = us-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    account.choose(region="eu-central-1", profile="team", local=None)
    assert account.region() == "eu-central-1"
    assert os.environ["AWS_PROFILE"] == "team"


def test_a_local_aws_is_found_from_its_checkout(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "build" / "local" / "mine"
    folder.mkdir(parents=True)
    variables = {
        "pid": 1,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_ACCESS_KEY_ID": "a",
    }
    (folder / "state.json").write_text(json.dumps(variables))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    account.choose(region=None, profile=None, local="mine")
    assert account.region() == "eu-west-3"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"


def test_no_local_aws(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    told = run("plan", write(), "--local-name", "none")
    assert told.exit_code == 2
    assert "python -m local up --name none" in told.stderr


# start, rehearse and watch


@pytest.fixture
def machine() -> str:
    """A state machine under the ARN that the stack names."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = boto3.client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = boto3.client("stepfunctions").create_state_machine(name="migrate", definition=definition, roleArn=role)
    return str(made["stateMachineArn"])


def started(arn: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(boto3.client("stepfunctions").describe_execution(executionArn=arn)["input"])
    return document


def test_start_prints_the_arn_and_nothing_else(run: Run, write: Write, machine: str) -> None:
    told = run("start", write())
    assert told.exit_code == 0
    arn = told.stdout.strip()
    assert arn.startswith(f"arn:aws:states:{REGION}:{DEFAULT_ACCOUNT_ID}:execution:migrate:")
    assert started(arn) == json.loads(Path(write()).read_text())


def test_rehearse_starts_a_rehearsal(run: Run, write: Write, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[str] = []

    def watch(arn: str) -> bool:
        watched.append(arn)
        return True

    monkeypatch.setattr(executions, "watch", watch)
    told = run("rehearse", write(mode="migrate"))
    assert told.exit_code == 0
    assert watched == [told.stdout.strip()]
    assert started(watched[0])["mode"] == "rehearse"


@pytest.mark.parametrize("target", [{"airflowVersion": "3.2.1"}, {"environment": "x", "airflowVersion": "3.2.1"}])
def test_rehearse_starts_the_state_machine_that_sweeps(
    run: Run, write: Write, machine: str, monkeypatch: pytest.MonkeyPatch, target: dict[str, str]
) -> None:
    monkeypatch.setattr(executions, "watch", lambda arn: True)
    found = account.Stack("arn:gone", machine, "exchange", "2.11.2")
    monkeypatch.setattr(account, "stack", lambda name: found)
    told = run("rehearse", write(target=target))
    assert told.exit_code == 0, told.output
    assert started(told.stdout.strip()) == {
        "source": {"environment": "prod-2-10"},
        "target": target,
        "mode": "rehearse",
    }


def test_rehearse_takes_nothing_away_from_others(run: Run, write: Write) -> None:
    told = run("rehearse", write(options={"breakLock": True}))
    assert told.exit_code == 2
    assert "InvalidValue at options.breakLock" in told.stderr


def test_the_stacks_rehearse_machine_is_known() -> None:
    template = {**TEMPLATE, "Outputs": {**TEMPLATE["Outputs"], "RehearseStateMachineArn": {"Value": "arn"}}}
    boto3.client("cloudformation").create_stack(StackName="newer", TemplateBody=json.dumps(template))
    assert account.stack("newer").rehearse_machine == "arn"


def test_a_state_machine_that_is_gone(run: Run, write: Write) -> None:
    told = run("start", write())
    assert told.exit_code == 1
    assert "StateMachineDoesNotExist" in told.stderr


PLAN = {"id": "m", "attempt": 2, "artifactId": "m-2", "bucket": "exchange"}


class States:
    """Step Functions as `watch` sees it: one execution, described once for each status."""

    class exceptions:  # noqa: N801  # as in the SDK
        class ExecutionDoesNotExist(Exception):
            pass

    def __init__(self, *described: dict[str, Any], plan: dict[str, Any] | None = None, starts_later: int = 0) -> None:
        self._described = list(described)
        self._starts_later = starts_later
        self._plan = plan

    def describe_execution(self, **_: Any) -> dict[str, Any]:
        if not self._described:
            raise self.exceptions.ExecutionDoesNotExist
        return self._described.pop(0) if len(self._described) > 1 else self._described[0]

    def get_execution_history(self, executionArn: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        if ":stack-rehearse:" in executionArn:
            return {"events": []}
        if self._starts_later > 0:
            self._starts_later -= 1
            raise self.exceptions.ExecutionDoesNotExist
        output = json.dumps(self._plan or {})
        return {"events": [{"stateExitedEventDetails": {"name": "Plan", "output": output}}]}


@pytest.fixture
def watch(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def invoke(states: States, arn: str = EXECUTION) -> Any:
        real = account.client
        monkeypatch.setattr("mwaa_migrator_cli.watching.time.sleep", lambda seconds: None)
        monkeypatch.setattr(account, "client", lambda name: states if name == "stepfunctions" else real(name))
        return run("watch", arn)

    return invoke


@pytest.mark.parametrize(
    ("verdict", "status", "code"),
    [("pass", "SUCCEEDED", 0), ("warn", "SUCCEEDED", 0), ("fail", "SUCCEEDED", 1), ("pass", "ABORTED", 1)],
)
def test_watch_ends_with_the_report(watch: Callable[..., Any], verdict: str, status: str, code: int) -> None:
    phase = {"name": "export", "started": "2026-11-22T10:00:00.000+00:00", "ended": "x", "seconds": 61.5}
    leave("migrations/m/2/phases/export.json", phase)
    leave("migrations/m/2/report.json", {**example(), "migration_id": "m", "attempt": 2, "verdict": verdict})
    told = watch(States({"status": "RUNNING"}, {"status": status}, plan=PLAN))
    assert told.exit_code == code, told.output
    assert "export: 62 s" in told.stderr
    assert "task_instance" in told.stdout
    assert "2.10.3 → 2.11.2 → 3.2.1" in told.stdout


def test_watch_tells_apart_what_the_engine_measured(watch: Callable[..., Any]) -> None:
    """Verify's own state takes no time: its work is done in the import's run."""
    for name, begun, seconds in (("export", 0, 60.0), ("import", 1, 60.0), ("verify", 2, 0.2)):
        phase = {"name": name, "started": f"2026-11-22T10:0{begun}:00.000+00:00", "ended": "x", "seconds": seconds}
        leave(f"migrations/m/2/phases/{name}.json", phase)
    # The import of another attempt is none of its own, and one that runs has no time yet.
    leave("artifacts/m/verify.json", {"status": "done", "seconds": 33.0})
    leave("artifacts/m-2/verify.json", {"status": "done", "seconds": 12.0})
    leave("artifacts/m-2/quiesce.json", {"status": "done", "seconds": 5.0})
    leave("artifacts/m-2/drain.json", {"status": "running"})
    leave("migrations/m/2/report.json", {**example(), "migration_id": "m", "attempt": 2, "verdict": "pass"})
    told = watch(States({"status": "RUNNING"}, {"status": "SUCCEEDED"}, plan=PLAN))
    lines = [line.strip() for line in told.stderr.splitlines()]
    assert [line for line in lines if ": " in line] == ["export: 60 s", "import: 48 s", "verify: 12 s"]


def test_watch_says_what_it_waits_for(watch: Callable[..., Any]) -> None:
    """Once, however often it looks."""
    for name, ended in (("export", "x"), ("import", None)):
        phase = {"name": name, "started": "2026-11-22T10:00:00.000+00:00", "ended": ended, "seconds": 60.0}
        leave(f"migrations/m/2/phases/{name}.json", phase)
    running = {"status": "RUNNING"}
    told = watch(States(running, running, running, {"status": "SUCCEEDED"}, plan=PLAN))
    lines = [line.strip() for line in told.stderr.splitlines()]
    assert [line for line in lines if ": " in line or "..." in line] == ["export: 60 s", "import ..."]


class Clock:
    """Ten seconds go by between two looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def test_a_reminder_comes_when_nothing_else_was_said_and_then_more_rarely() -> None:
    clock = SimpleNamespace(now=0.0)
    said: list[str] = []
    reminder = Reminder(said.append, lambda: clock.now)
    for second in range(1, 201):
        clock.now = float(second)
        if second == 20:
            reminder.begin("create target")
        reminder.remind(lambda: "WaitForTarget")
    assert said == [
        "starting ... 15 s, WaitForTarget",
        *(f"create target ... {seconds} s, WaitForTarget" for seconds in (15, 45, 105)),
        "create target ... 2 min 45 s, WaitForTarget",
    ]


def test_watch_goes_on_saying_what_it_waits_for(watch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the state: of a rehearsal that of its migration."""
    clock = Clock()
    monkeypatch.setattr("mwaa_migrator_cli.progress.Reminder", lambda say: Reminder(say, clock))
    phase = {"name": "create target", "started": "2026-11-22T10:00:00.000+00:00", "ended": None, "seconds": 0.0}
    leave("migrations/m/2/phases/create_target.json", phase)
    states = States(*[{"status": "RUNNING"}] * 6, {"status": "SUCCEEDED"}, plan=PLAN)
    history = states.get_execution_history

    def entered(executionArn: str = "", maxResults: int = 0, **more: Any) -> dict[str, Any]:  # noqa: N803
        if maxResults == 100:
            return history(executionArn=executionArn)
        name = "Rehearse" if ":stack-rehearse:" in executionArn else "WaitForTarget"
        return {"events": [{"id": 1, "stateEnteredEventDetails": {"name": name}}]}

    monkeypatch.setattr(states, "get_execution_history", entered)
    told = watch(states, EXECUTION.replace(":migrate:", ":stack-rehearse:"))
    lines = [line.strip() for line in told.stderr.splitlines() if "..." in line]
    assert lines[0] == "create target ..."
    assert lines[1].startswith("create target ... ")
    assert lines[1].endswith(" s, WaitForTarget")


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("warn", 0), ("fail", 1)])
def test_without_a_report_the_output_has_the_verdict(watch: Callable[..., Any], verdict: str, code: int) -> None:
    output = json.dumps({"outcome": "rehearsed", "report": None, "verdict": verdict})
    assert watch(States({"status": "SUCCEEDED", "output": output}, plan=PLAN)).exit_code == code


def test_watch_of_a_rehearsal_shows_its_migration(watch: Callable[..., Any]) -> None:
    leave("migrations/m/2/report.json", {**example(), "migration_id": "m", "attempt": 2, "verdict": "pass"})
    states = States({"status": "RUNNING"}, {"status": "SUCCEEDED"}, plan=PLAN, starts_later=1)
    told = watch(states, EXECUTION.replace(":migrate:", ":stack-rehearse:"))
    assert told.exit_code == 0, told.output
    assert "task_instance" in told.stdout


def test_watch_says_that_a_rehearsal_was_skipped(watch: Callable[..., Any]) -> None:
    cause = json.dumps({"errorMessage": "prod-2-10 in eu-west-1 has been locked by migration m"})
    output = json.dumps({"outcome": "skipped", "error": "EnvironmentLocked", "cause": cause})
    states = States({"status": "SUCCEEDED", "output": output}, starts_later=9)
    told = watch(states, EXECUTION.replace(":migrate:", ":stack-rehearse:"))
    assert told.exit_code == 1
    assert "Skipped: prod-2-10 in eu-west-1 has been locked by migration m" in " ".join(told.stderr.split())


def test_watch_says_why_a_plan_was_refused(watch: Callable[..., Any]) -> None:
    cause = json.dumps(
        {"errorMessage": "source.environment: there is no environment 'x'", "errorType": "SourceNotFound"}
    )
    told = watch(States({"status": "FAILED", "error": "SourceNotFound", "cause": cause}))
    assert told.exit_code == 1
    assert "SourceNotFound: source.environment: there is no environment 'x'" in " ".join(told.stderr.split())


def test_the_state_is_the_one_that_was_entered_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way the history is sorted."""
    entered = [
        {"id": number, "stateEnteredEventDetails": {"name": name}} for number, name in ((2, "Plan"), (7, "Verify"))
    ]
    states = States({})
    for events in (entered, entered[::-1]):
        monkeypatch.setattr(states, "get_execution_history", lambda events=events, **_: {"events": events})
        assert watching._current_state(states, EXECUTION) == "Verify"


def test_watch_of_nothing(watch: Callable[..., Any]) -> None:
    told = watch(States())
    assert told.exit_code == 2
    assert "There is no execution" in told.stderr


# report


@pytest.fixture
def reported() -> dict[str, Any]:
    """Two attempts of a migration; the last one passed with warnings."""
    first, last = ({**example(), "migration_id": "m", "attempt": attempt} for attempt in (9, 10))
    leave("migrations/m/9/report.json", {**first, "status": "FAILED"})
    leave("migrations/m/10/report.json", last)
    leave("migrations/m/10/report.html", page.render(last))
    leave("migrations/m-other/1/report.json", {**last, "migration_id": "m-other", "attempt": 11, "verdict": "fail"})
    return last


def test_report_as_text(run: Run, reported: dict[str, Any]) -> None:
    told = run("report", "m")
    assert told.exit_code == 0
    assert "Rehearsal passed, with warnings" in told.stdout
    assert "WARN 2 DAG files cannot be imported" in told.stdout
    assert "orders/load_orders_0.py" in told.stdout
    assert "1,000,000" in told.stdout


def test_report_as_json_is_what_lies_in_the_bucket(run: Run, reported: dict[str, Any]) -> None:
    assert json.loads(run("report", "m", "--format", "json").stdout) == reported


def test_report_as_html(run: Run, reported: dict[str, Any]) -> None:
    assert run("report", "m", "--format", "html").stdout == page.render(reported)


def test_report_opens_a_browser(run: Run, reported: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert run("report", "m", "--open").exit_code == 0
    file = Path(opened[0].removeprefix("file://"))
    assert file.read_text(encoding="utf-8") == page.render(reported)
    file.unlink()


def test_a_reports_verdict_is_the_exit_code(run: Run, reported: dict[str, Any]) -> None:
    assert run("report", "m-other").exit_code == 1


def test_a_report_without_a_page(run: Run, reported: dict[str, Any]) -> None:
    told = run("report", "m-other", "--format", "html")
    assert (told.exit_code, "has no page" in told.stderr) == (2, True)


def test_no_report(run: Run) -> None:
    told = run("report", "none")
    assert (told.exit_code, "There is no report of none in exchange" in told.stderr) == (2, True)


def test_a_report_cannot_colour_or_clear_the_terminal(run: Run) -> None:
    evil = {**example(), "migration_id": "m", "attempt": 1}
    evil["checks"] = [
        {"name": "[red]\x1b[2Jx[/red]", "result": "fail", "message": "\x1b]0;title\x07", "remedy": "[link=x]"}
    ]
    leave("migrations/m/1/report.json", evil)
    told = run("report", "m")
    assert "[red]" in told.stdout
    assert "[link=x]" in told.stdout
    assert "\x1b" not in told.stdout
