"""A migration directly to Airflow 3, as a user starts it, and taken back by hand: what is in target, source, nowhere.

Meanwhile some of its DAGs have a run each minute: none is lost, none done twice, and the source runs nothing. The old
runs are more than rows: the target shows them, goes on with them and runs them again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, demo_source
from sources.environment_rows import PERMISSIONS, paused, rows
from tests.e2e import old_runs, web_interface
from tests.e2e.every_minute import MINUTE, NAMES, AMinuteWithoutDags, EveryMinute, Runs, minute
from tests.e2e.execution import execute, report
from tests.e2e.old_runs import Airflow3
from tests.e2e.traces import ProcessArguments, credentials_in, traces
from tools import chromium
from tools.template import template, unconditional_statements

MARK = "M4RKED"
# Rights that a function needs and that this run does not use.
NOT_USED_HERE = {
    # The input is refused, a lock has another holder, the input overrides the network, it is a rehearsal.
    "PlanFunction": (
        "s3:DeleteObject",
        "states:DescribeExecution",
        "ec2:DescribeSecurityGroups",
    ),
    # The target is adopted (test_adopted_target.py).
    "TriggerDagRunFunction": ("airflow:GetEnvironment",),
    "CutOverFunction": ("airflow:GetEnvironment",),
    # S3 does not know a role that it is to grant access to.
    "GrantAccessFunction": ("s3:DeleteObject",),
    # Another migration has access, too.
    "CleanUpFunction": ("s3:PutObject", "kms:GenerateDataKey"),
    # An object of the migration is missing, as in a first attempt that stopped early.
    "CheckParsedFunction": ("s3:ListBucket",),
    # There is no hop.
    "PollEnvironmentFunction": (
        "s3:ListBucket",
        "s3:GetEncryptionConfiguration",
        "logs:DescribeLogStreams",
        "logs:GetLogEvents",
    ),
    # A lock is missing; the source's DAG bucket is encrypted with a key.
    "StageRollBackFunction": ("s3:ListBucket", "kms:GenerateDataKey"),
    # The target has no log group yet, a stream is big.
    "ListLogStreamsFunction": ("logs:CreateLogGroup", "logs:PutRetentionPolicy"),
    "CopyLogEventsFunction": ("logs:GetLogEvents",),
    # The role is there already; no earlier attempt has left a target or a DAG file.
    "CreateEnvironmentFunction": ("iam:CreateServiceLinkedRole", "airflow:UpdateEnvironment"),
    "StageDagsFunction": ("s3:DeleteObject",),
    # Nothing is upgraded in place (test_rehearsal.py does that), so our DAGs need not leave the target before.
    "StageSettingsFunction": ("s3:DeleteObject",),
    # This is no rehearsal.
    "PrepareRehearsalFunction": ("s3:GetObject", "s3:ListBucket", "kms:Decrypt", "states:DescribeExecution"),
    "SweepFunction": (
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:ListGrants",
        "kms:RevokeGrant",
        "states:DescribeExecution",
        "airflow:ListEnvironments",
        "airflow:GetEnvironment",
        "airflow:CreateCliToken",
        "airflow:DeleteEnvironment",
        "logs:DeleteLogGroup",
    ),
}
# Those of the path through 2.11 (test_rehearsal.py), and of the way to it (rehearsals/test_mishaps.py).
NOT_CALLED_HERE = ("UpdateEnvironmentFunction", "GiveDagVersionsFunction", "FallBackFunction")
# DAGs whose rows the source's scheduler changes by itself: each minute, and where a run has not ended.
CHANGING = (*NAMES, old_runs.UNFINISHED, old_runs.DEFERRED)
OPTIONS = {"pollSeconds": 1, "artifact": "delete", "targetOnFailure": "delete"}


@dataclass
class Migrated:
    """A source with its rows and pause states before the migration, and the migration's outcome.

    The rows of CHANGING are left out.
    """

    aws: AwsWithMwaa
    source: Environment
    every_minute: EveryMinute
    rows: dict[str, Counter[str]]
    active: dict[str, bool]
    execution: str
    output: dict[str, Any]
    ended: datetime
    arguments: set[str]


def plant_secrets(source: Environment) -> None:
    """Marks a variable, a connection, a run's conf and an Airflow option."""
    airflow = source.airflow
    assert airflow is not None
    conf = json.dumps({"orders": 1, "token": f"{MARK}-conf"})
    connection = f"postgres://u:{MARK}-password@h/d?token={MARK}-extra"
    for command in (
        ["variables", "set", "api_key", f"{MARK}-variable"],
        ["connections", "add", "marked", "--conn-uri", connection],
        ["dags", "trigger", "demo_orders", "--run-id", "marked", "--conf", conf],
    ):
        done = airflow.command(command, timeout=60)
        assert done.returncode == 0, done.stderr
    source.settings["AirflowConfigurationOptions"]["smtp.smtp_password"] = f"{MARK}-option"
    with psycopg2.connect(source.database.dsn) as connection_, connection_.cursor() as cursor:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            cursor.execute("select state from dag_run where run_id = 'marked'")
            if cursor.fetchone() == ("success",):
                return
            connection_.rollback()
            time.sleep(0.5)
    raise AssertionError("the marked run has not ended")


def allowed_actions(function: dict[str, Any]) -> set[str]:
    """What a function's policies allow in every stack."""
    return {action for statement in unconditional_statements(function["Properties"]) for action in statement["Action"]}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    with AwsWithMwaa() as aws:
        application.deploy(aws)
        source = demo_source.make(aws, "prod-2-10", "2.10.3", None, None, print)
        plant_secrets(source)
        every_minute = EveryMinute(tmp_path_factory.mktemp("minute") / "record")
        every_minute.add_to(aws, source)
        old_runs.add_to(aws, source)
        before, active = rows(source, without=CHANGING), paused(source)
        assert set(active.values()) == {True, False}
        aws.endpoint.interceptor = AMinuteWithoutDags(aws)
        document = {
            "source": {"environment": "prod-2-10"},
            "target": {"environment": "prod-3", "airflowVersion": "3.2.1"},
            # The tables' parts are read for traces, and go with the roll back.
            "options": {**OPTIONS, "artifact": "keep"},
        }
        with ProcessArguments() as arguments:
            execution, output = execute(aws, document)
        ended = datetime.now(UTC)
        yield Migrated(aws, source, every_minute, before, active, execution, output, ended, arguments.seen)


@pytest.fixture(scope="module")
def runs(migrated: Migrated) -> Runs:
    """The runs of each minute, before, in and after the migration."""
    phases = report(migrated.aws, migrated.output)["phases"]
    started = {phase["name"]: datetime.fromisoformat(phase["started"]) for phase in phases}
    target = migrated.aws.mwaa.environment("prod-3")
    return migrated.every_minute.runs(migrated.source, target, started["quiesce"], started["cut over"], migrated.ended)


@pytest.mark.timeout(900)
def test_the_target_runs_what_the_source_ran_and_the_source_nothing(migrated: Migrated) -> None:
    assert set(paused(migrated.source).values()) == {True}
    assert paused(migrated.aws.mwaa.environment("prod-3")) == migrated.active
    # By its database, with Airflow 3 as its worker's environment leads there.
    assert report(migrated.aws, migrated.output)["cut_over_way"] == "database"
    after = rows(migrated.source, without=CHANGING)
    for table in ("dag_run", "task_instance", "xcom", "variable", "connection"):
        assert after[table] == migrated.rows[table], table


def test_secrets_are_nowhere_but_in_encrypted_objects(migrated: Migrated) -> None:
    aws = migrated.aws
    history = json.dumps(
        list(
            aws.client("stepfunctions")
            .get_paginator("get_execution_history")
            .paginate(executionArn=migrated.execution, includeExecutionData=True)
        ),
        default=str,
    )
    assert "prod-2-10" in history
    assert MARK not in history
    assert "CliToken" not in history
    logs = aws.client("logs")
    said = []
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            said += [(group["logGroupName"], event["message"]) for event in page["events"]]
    assert any(group.startswith("/aws/lambda/") for group, _ in said)
    # The DAG's own tasks may print their run's conf: what counts is what we write.
    ours = [text for group, text in said if group.startswith("/aws/") or "mwaa_migrator" in text]
    assert [text for text in ours if MARK in text] == []
    s3, exchange = aws.client("s3"), aws.deployed.resources["ExchangeBucket"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=exchange):
        for item in page.get("Versions", []):
            found = s3.get_object(Bucket=exchange, Key=item["Key"], VersionId=item["VersionId"])
            assert found["ServerSideEncryption"] == "aws:kms", item["Key"]
            assert "/tables/" in item["Key"] or MARK.encode() not in found["Body"].read(), item["Key"]


def test_credentials_of_the_databases_are_nowhere(migrated: Migrated) -> None:
    aws = migrated.aws
    told = report(aws, migrated.output)
    assert (told["path"], told["way_in"]) == (["2.10.3", "3.2.1"], "IAM token")
    (check,) = [check for check in told["checks"] if check["name"] == "Target database"]
    assert (check["result"], "(IAM token)" in check["message"]) == ("pass", True)
    left = list(traces(aws, [migrated.source, aws.mwaa.environment("prod-3")]))
    left += [("arguments of a process", one) for one in migrated.arguments]
    for place in ("/import.json", "mwaa_migrator_import", "dag_id=mwaa_migrator_import", "public.xcom", "/processes/"):
        assert any(place in where for where, _ in left), place
    assert any("mwaa_migrator.scratch.run_migrations" in text for where, text in left if "arguments" in where)
    assert {(where, *found) for where, text in left if (found := credentials_in(aws, text))} == set()


@pytest.mark.timeout(900)
def test_no_run_is_lost_and_none_is_done_twice(runs: Runs) -> None:
    begins = [begin for begin, _ in runs.target["catches_up"]]
    assert begins == [runs.start + number * MINUTE for number in range(len(begins))]
    # There was something to lose, and it was done in the target.
    begun = {begin for begin, _ in runs.source["catches_up"]}
    due = [begin for begin in begins if runs.quiesced <= begin + MINUTE <= runs.cut_over]
    # The source may begin one between the phase's start and the pause; test_the_source_runs_nothing_more bounds it.
    missed = [begin for begin in due if begin not in begun]
    assert len(missed) >= 1
    assert {("catches_up", begin) for begin in missed} <= runs.ran_in("prod-3")
    effects = runs.effects()
    assert set(effects.values()) == {1}
    done = {begin for begin, state in runs.target["catches_up"] if state == "success"}
    assert len(done) >= len(begins) - 1
    assert {("catches_up", begin) for begin in done} <= set(effects)


def test_without_catchup_it_goes_on_with_the_latest(runs: Runs) -> None:
    begins = [begin for begin, _ in runs.target["takes_the_latest"]]
    known = [begin for begin, _ in runs.source["takes_the_latest"]]
    assert begins[: len(known)] == known
    new = begins[len(known) :]
    # As after any pause: of the pause its last interval, or the one before where Airflow has not parsed the file since.
    assert minute(runs.cut_over) - 2 * MINUTE <= new[0] <= minute(runs.ended)
    assert new == [new[0] + number * MINUTE for number in range(len(new))]


def test_the_source_runs_nothing_more(runs: Runs) -> None:
    assert set(runs.paused.values()) == {True}
    known = [begin for name in NAMES for begin, _ in runs.source[name]]
    # A run may begin while the DAGs are being paused.
    assert max(begin + MINUTE for begin in known) <= runs.quiesced + timedelta(seconds=10)
    assert runs.ran_in("prod-2-10")
    assert not runs.ran_in("prod-2-10") & runs.ran_in("prod-3")


@pytest.fixture(scope="module")
def target(migrated: Migrated) -> Airflow3:
    return Airflow3.of(migrated.aws.mwaa.environment("prod-3"))


@pytest.mark.timeout(900)
def test_notes_asset_events_and_the_audit_log_are_there(target: Airflow3) -> None:
    run = f"/dags/{old_runs.FAILED}/dagRuns/{old_runs.RUN}"
    assert target.get(run)["note"] == old_runs.NOTE
    assert target.get(f"{run}/taskInstances/work")["note"] == old_runs.NOTE
    (asset,) = target.get("/assets", name_pattern=old_runs.ASSET)["assets"]
    events = target.get("/assets/events", asset_id=asset["id"], source_dag_id=old_runs.FAILED)["asset_events"]
    assert {(event["source_run_id"], event["source_task_id"]) for event in events} == {(old_runs.RUN, "extract")}
    logged = target.get("/eventLogs", dag_id=old_runs.FAILED, run_id=old_runs.RUN, limit=100)["event_logs"]
    assert {("extract", "success"), ("work", "failed")} <= {(entry["task_id"], entry["event"]) for entry in logged}


@pytest.mark.skipif(chromium.installed() is None, reason="there is no Chromium")
@pytest.mark.timeout(900)
def test_the_web_interface_shows_an_old_run_and_runs_it_again(migrated: Migrated, target: Airflow3) -> None:
    dag = f"/dags/{old_runs.FAILED}"
    run = f"{dag}/runs/{old_runs.RUN}"
    with web_interface.opened(target.url.removesuffix("/api/v2")) as seen:
        # The grid has a link for each task of each run.
        seen.show(dag, "extract", "work")
        assert seen.page.wait_for(f"document.querySelector('a[href^=\"{run}/tasks/work\"]') !== null")
        seen.show(f"{run}/tasks/extract/xcom", "return_value", old_runs.XCOM)
        seen.show(f"{run}/tasks/work", "attempt 2 in prod-2-10", "not in the source")
        seen.show(f"{run}/tasks/work?try_number=1", "attempt 1 in prod-2-10")
        seen.show(run, "Failed")
        seen.click("Clear Dag Run")
        seen.see("Affected Tasks: 2")
        seen.click("Confirm")
        cleared = time.monotonic()
        target.await_success(60, old_runs.FAILED)
        assert time.monotonic() - cleared < 60
        for attempt, environment in ((1, "prod-2-10"), (2, "prod-2-10"), (3, "prod-3")):
            said = f"attempt {attempt} in {environment}"
            target.await_log(said, old_runs.FAILED, "work", attempt)
            seen.show(f"{run}/tasks/work?try_number={attempt}", said)
    tries = target.get(f"/dags/{old_runs.FAILED}/dagRuns/{old_runs.RUN}/taskInstances/work/tries")["task_instances"]
    assert [(one["try_number"], one["state"]) for one in tries] == [(1, "failed"), (2, "failed"), (3, "success")]


@pytest.mark.timeout(900)
def test_an_unfinished_run_goes_on(migrated: Migrated, target: Airflow3) -> None:
    assert target.state(old_runs.UNFINISHED) == "running"
    old_runs.command(migrated.aws.mwaa.environment("prod-3"), "pools", "set", old_runs.POOL, "1", "one gets in")
    target.await_success(60, old_runs.UNFINISHED)


@pytest.mark.timeout(900)
def test_a_deferred_task_resumes(migrated: Migrated, target: Airflow3) -> None:
    assert target.state(old_runs.DEFERRED) == "running"
    airflow = migrated.aws.mwaa.environment("prod-3").airflow
    assert airflow is not None
    (airflow.home / old_runs.FILE).touch()
    target.await_success(60, old_runs.DEFERRED)
    target.await_log("resumed in prod-3", old_runs.DEFERRED, "wait", 1)


@pytest.mark.timeout(900)
def test_a_new_run_reads_the_xcom_of_an_old_one(target: Airflow3) -> None:
    now = datetime.now(UTC).isoformat()
    runs = f"/dags/{old_runs.COUNTED}/dagRuns"
    target.post(runs, {"dag_run_id": "new", "logical_date": now})
    target.await_success(60, old_runs.COUNTED, "new")
    assert target.get(f"{runs}/new/taskInstances/count/xcomEntries/runs", deserialize="true")["value"] == 2


@pytest.mark.timeout(900)
def test_a_backfill_skips_what_has_run(target: Airflow3) -> None:
    def attempts() -> dict[str, tuple[str, int]]:
        found = target.get("/dags/demo_daily/dagRuns/~/taskInstances", limit=100)["task_instances"]
        return {one["dag_run_id"]: (one["state"], one["try_number"]) for one in found}

    before = attempts()
    runs = target.get("/dags/demo_daily/dagRuns", run_type=["scheduled"])["dag_runs"]
    dates = sorted(run["logical_date"] for run in runs)
    # The DAG begins two days ago.
    assert len(dates) >= 2
    backfill = target.post("/backfills", {"dag_id": "demo_daily", "from_date": dates[0], "to_date": dates[-1]})
    with psycopg2.connect(target.dsn) as connection, connection.cursor() as cursor:
        query = "select exception_reason from backfill_dag_run where backfill_id = %s"
        cursor.execute(query, (backfill["id"],))
        assert cursor.fetchall() == [("already exists",)] * len(dates)
    assert attempts() == before


@pytest.fixture(scope="module")
def rolled_back(migrated: Migrated, runs: Runs) -> list[dict[str, Counter[str]]]:
    """The source's rows after each of two roll backs, which delete the target: its runs must have been read before."""
    found = []
    document = {"mode": "rollback", "migrationId": migrated.output["migrationId"], "options": OPTIONS}
    for _ in range(2):
        execute(migrated.aws, document)
        assert paused(migrated.source) == migrated.active
        found.append(rows(migrated.source, without=CHANGING))
    return found


@pytest.mark.timeout(900)
def test_a_roll_back_by_hand_leaves_the_source_as_it_was(
    migrated: Migrated, rolled_back: list[dict[str, Counter[str]]]
) -> None:
    for after in rolled_back:  # rolling back twice is harmless
        differing = {
            table: (before - after[table], after[table] - before)
            for table, before in migrated.rows.items()
            if before != after[table] and table not in PERMISSIONS
        }
        assert differing == {}
    aws = migrated.aws
    assert aws.client("mwaa").list_environments()["Environments"] == ["prod-2-10"]
    s3, exchange = aws.client("s3"), aws.deployed.resources["ExchangeBucket"]
    bucket = migrated.source.settings["SourceBucketArn"].split(":")[-1]
    names = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [name for name in names if "mwaa_migrator" in name or name.startswith("prod-3/")] == []
    left = [item["Key"] for item in s3.list_objects_v2(Bucket=exchange)["Contents"]]
    assert [name for name in left if "/tables/" in name or name.startswith("locks/")] == []
    assert any(name.endswith("/roll_back_report.json") for name in left)


@pytest.mark.usefixtures("rolled_back")
def test_what_is_allowed_is_used_and_what_is_used_is_allowed(migrated: Migrated) -> None:
    calls = migrated.aws.endpoint.record.calls()
    assert [call for call in calls if call.decision != "allowed"] == []
    not_used = {}
    for name, function in migrated.aws.deployed.functions.items():
        used = {call.action for call in calls if call.role_arn == function.role_arn}
        left = sorted(allowed_actions(template()["Resources"][name]) - used)
        if left and name not in NOT_CALLED_HERE:
            not_used[name] = left
    assert not_used == {name: sorted(actions) for name, actions in NOT_USED_HERE.items()}
