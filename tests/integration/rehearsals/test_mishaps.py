"""What happens to a rehearsal from outside: what it ends with, and that it leaves nothing then either."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from migration.airflow import our_dags
from tests.e2e.test_migration import allowed_actions
from tools.template import template

from .light_environment import LightEnvironment
from .stage import Event, Intervention, Stage

# The last one that runs in the source.
_RUNS = {"CheckRun": our_dags.EXPORT}


@pytest.fixture
def rehearse(stage: Stage) -> Callable[..., Event]:
    """Rehearses a source that is made for it, and wants nothing to be left; the end of the rehearsal.

    rehearse(letter, state, act, lost): in `state`, `act` happens. `lost` is in the names of what it takes away. `run`
    is the run of our DAGs that the state is about.
    """

    def rehearsed(
        letter: str,
        state: str = "",
        act: Callable[[], None] | None = None,
        lost: str = "nothing at all",
        path: str = "through-2.11",
        run: str = "",
    ) -> Event:
        source = f"src-{letter}-mishap"
        stage.make_source(source)
        if act is not None:
            stage.interventions[source] = Intervention(state, act, run)
        before = stage.listed()
        ended = stage.ended(stage.start(source, path))
        assert source not in stage.interventions
        assert stage.listed() == {thing for thing in before if lost not in thing}
        return ended

    return rehearsed


def test_one_that_goes_well(rehearse: Callable[..., Event], stage: Stage) -> None:
    made: list[Event] = []
    ended = rehearse("w", "CreateEnvironment", lambda: made.append(target_of(stage, "src-w-mishap")))
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert output["outcome"] == "rehearsed"
    report = report_of(stage, output)
    assert (report["status"], report["verified"], report["path"]) == ("SUCCEEDED", True, ["2.10.3", "2.11.2", "3.2.1"])
    # The source is of the class mw1.large and has 60 DAGs.
    assert [target["EnvironmentClass"] for target in made] == ["mw1.medium"]
    assert (report["environment_class"], report["environment_class_on_the_day"]) == ("mw1.medium", "mw1.large")
    assert 0 <= report["price_usd"] <= report["price_on_the_day_usd"]


@pytest.mark.parametrize("path", ["auto", "direct"])
def test_the_target_lets_no_task_into_its_database(
    rehearse: Callable[..., Event], stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It falls back to the path through 2.11 where it may, and ends by name before anything is paused where not."""
    monkeypatch.setattr(LightEnvironment, "closed", ("src-o-", "src-p-"))
    ended = rehearse("o" if path == "auto" else "p", path=path)
    if path == "direct":
        assert (ended["status"], ended["error"]) == ("FAILED", "DatabaseOutOfReach")
        assert "Nothing was paused. With auto as options.path the migration goes through 2.11 then." in ended["cause"]
        return
    report = report_of(stage, json.loads(ended["output"]))
    assert (report["status"], report["verified"], report["path"]) == ("SUCCEEDED", True, ["2.10.3", "2.11.2", "3.2.1"])
    assert {"create target", "check target", "fall back", "hop to 3.2.1"} <= {one["name"] for one in report["phases"]}
    (check,) = [check for check in report["checks"] if check["name"] == "Target database"]
    assert (check["result"], "No way leads there." in check["message"]) == ("warn", True)
    assert any("because it let no task into its database" in note for note in report["notes"])
    # After the upgrade no task is let in either.
    (check,) = [check for check in report["checks"] if check["name"] == "GiveDagVersions was not made"]
    assert (check["result"], "No way leads there." in check["message"]) == ("warn", True)
    assert any("`run_on_latest_version` in the REST API" in note for note in report["notes"])
    role = stage.aws.deployed.functions["FallBackFunction"].role_arn
    used = {call.action for call in stage.aws.endpoint.record.calls() if call.role_arn == role}
    # An object that is missing, and a lock.
    assert allowed_actions(template()["Resources"]["FallBackFunction"]) - used <= {"s3:ListBucket"}


@pytest.mark.parametrize(
    ("letter", "state", "error"),
    [
        ("a", "GrantAccess", "SourceNotFound"),
        ("b", "StageDags", "EnvironmentUnavailable"),
        # From here on only the hop asks for it.
        ("c", "CheckRun", "EnvironmentUnavailable"),
    ],
)
def test_the_source_is_deleted(
    rehearse: Callable[..., Event], stage: Stage, letter: str, state: str, error: str
) -> None:
    source = f"src-{letter}-mishap"

    def delete() -> None:
        stage.aws.client("mwaa").delete_environment(Name=source)
        stage.aws.mwaa.environment(source).gone.wait(20)

    ended = rehearse(letter, state, delete, lost=f"environment {source}", run=_RUNS.get(state, ""))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert source in ended["cause"]


def test_the_functions_were_idle_for_weeks(
    rehearse: Callable[..., Event], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function in a VPC is Inactive at its first invocation, and Pending at its second."""
    monkeypatch.setenv("LAMBDA_STATE", "Inactive")
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))
    resources = template()["Resources"]
    names = {
        deployed.name
        for name, deployed in stage.aws.deployed.functions.items()
        if "VpcConfig" in resources[name]["Properties"]
    }
    functions = [function for function in stage.aws.functions.functions() if function.name in names]
    for function in functions:
        stage.aws.functions.register(replace(function, in_vpc=True))
    try:
        assert rehearse("i")["status"] == "SUCCEEDED"
    finally:
        for function in functions:
            stage.aws.functions.register(function)


def test_the_target_cannot_be_created(rehearse: Callable[..., Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LightEnvironment, "doomed", ("src-e-mishap-rehearsal-",))
    ended = rehearse("e")
    assert (ended["status"], ended["error"]) == ("FAILED", "CreateEnvironmentFailed")
    assert "no addresses left" in ended["cause"]


def test_the_quota_of_environments_is_reached(rehearse: Callable[..., Event], stage: Stage) -> None:
    def no_more() -> None:
        stage.aws.mwaa.quota = len([thing for thing in stage.listed() if thing.startswith("environment ")])

    ended = rehearse("f", "Plan", no_more)
    stage.aws.mwaa.quota = None
    assert (ended["status"], ended["error"]) == ("FAILED", "CreateEnvironmentRefused")
    assert "quota" in ended["cause"]


def test_the_bucket_does_not_take_the_report(rehearse: Callable[..., Event], stage: Stage) -> None:
    """Nobody has subscribed to the topic either: the function's log has the report."""
    bucket, s3 = stage.aws.deployed.resources["ExchangeBucket"], stage.aws.client("s3")
    topic = stage.aws.deployed.resources["Topic"]
    assert stage.aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []

    def refuse() -> None:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        denied = {
            "Sid": "NoReports",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": [f"arn:aws:s3:::{bucket}/migrations/*/report.*", f"arn:aws:s3:::{bucket}/rehearsals/*"],
        }
        policy["Statement"].append(denied)
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def accept() -> None:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        policy["Statement"] = [item for item in policy["Statement"] if item.get("Sid") != "NoReports"]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def refuse_and_report() -> None:
        refuse()
        stage.interventions["src-g-mishap"] = Intervention("Report", accept)

    ended = rehearse("g", "Verify", refuse_and_report)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert (output["outcome"], output["report"]) == ("rehearsed", None)
    said = messages(stage.aws, "ReportFunction")
    assert any("the report was not written" in text and output["migrationId"] in text for text in said)
    assert any("nobody has subscribed to the topic" in text for text in said)


def test_the_schedule_fires_while_a_rehearsal_that_it_has_started_runs(stage: Stage) -> None:
    source, now = "src-s-schedule", datetime.now(UTC)
    stage.make_source(source)
    exchange, s3 = stage.aws.deployed.resources["ExchangeBucket"], stage.aws.client("s3")
    s3.put_object(Bucket=exchange, Key="inputs/scheduled.json", Body=json.dumps(stage.document(source)).encode())
    before, earlier = stage.listed(), stage.rehearsals()
    # Once within this week, and once within the next.
    stage.interventions[source] = Intervention("StageDags", lambda: stage.aws.schedules.fire(now + timedelta(days=14)))
    stage.aws.schedules.fire(now + timedelta(days=7))
    first = stage.ended(wait_for(lambda: stage.rehearsals() - earlier).pop())
    executions = stage.rehearsals() - earlier
    ended = [stage.ended(execution) for execution in executions]
    assert {told["input"] for told in ended} == {'{"input": "inputs/scheduled.json"}'}
    assert sorted(json.loads(told["output"])["outcome"] for told in ended) == ["rehearsed", "skipped"]
    assert json.loads(first["output"])["outcome"] == "rehearsed"
    calls = [call for call in stage.aws.endpoint.record.calls() if "RehearsalScheduleRole" in call.role_arn]
    assert [(call.action, call.decision) for call in calls] == [("states:StartExecution", "allowed")]
    assert stage.listed() == before


def wait_for(what: Callable[[], set[str]]) -> set[str]:
    """What there is as soon as there is something."""
    deadline = time.monotonic() + 30
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def messages(aws: AwsWithMwaa, function: str) -> list[str]:
    """What a function has logged."""
    group = aws.deployed.functions[function].log_group
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def target_of(stage: Stage, source: str) -> Event:
    """A rehearsal's target while it is there, as GetEnvironment has it."""
    mwaa = stage.aws.client("mwaa")
    names = [name for page in mwaa.get_paginator("list_environments").paginate() for name in page["Environments"]]
    (name,) = [name for name in names if name.startswith(f"{source}-rehearsal-")]
    found: Event = mwaa.get_environment(Name=name)["Environment"]
    return found


def report_of(stage: Stage, output: Event) -> Event:
    answer = stage.aws.client("s3").get_object(Bucket=output["bucket"], Key=output["report"])
    report: Event = json.loads(answer["Body"].read())
    return report
