"""Two rehearsals of one source, and what a missing permission looks like.

The first is what `make rehearsal` runs, in its smallest form. The second is to go to Airflow 3 directly, whose workers
know nothing of their database, so it falls back to the path through 2.11; and a DAG does not fit the target: what it
finds, and that it says so everywhere.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.aws.responses import AwsError
from local.installations import leftovers, processes
from local.installations.folders import ROOT
from local.mwaa import database_access
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, rehearsal
from local.rehearsal.settings import SOURCE_NAME, Settings
from local.rehearsal.source_environment import query, wait_until_parsed
from tests.e2e import old_runs
from tests.e2e.execution import execute, report
from tests.e2e.old_runs import Airflow3
from tests.e2e.test_migration import allowed_actions
from tests.e2e.traces import credentials_in
from tools.template import template

TARGET = "prod-3-rehearsal"
DAGS = ("orders", "minutely", "reports")
GOOD = """\
import datetime
from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator

# At least a run of it is due whenever it is unpaused.
with DAG({dag_id!r}, start_date=datetime.datetime(2026, 1, 1), schedule={schedule}, catchup=False):
    BashOperator(task_id="first", bash_command="true") >> BashOperator(task_id="second", bash_command="true")
"""
# Airflow 2 has the module, with a warning; Airflow 3 has not.
BROKEN = """\
import datetime
from airflow import DAG
from airflow.operators.python_operator import PythonOperator

with DAG("reports", start_date=datetime.datetime(2026, 1, 1), schedule=None):
    PythonOperator(task_id="report", python_callable=print)
"""


@dataclass(frozen=True)
class Command:
    """What `make rehearsal` has returned and printed, and its output folder."""

    code: int
    printed: str
    out: Path


@dataclass
class Rehearsed:
    """A rehearsal that has ended, the runs that its target had of the DAG with a schedule, and what came of the old one
    that was cleared there.
    """

    aws: AwsWithMwaa
    output: dict[str, Any]
    report: dict[str, Any]
    runs: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)


def dags(folder: Path) -> Path:
    (folder / "team").mkdir()
    (folder / "orders.py").write_text(GOOD.format(dag_id="orders", schedule=None))
    (folder / "minutely.py").write_text(GOOD.format(dag_id="minutely", schedule="datetime.timedelta(minutes=1)"))
    (folder / "team" / "reports.py").write_text(BROKEN)
    return folder


def watch_runs(aws: AwsWithMwaa, found: dict[str, str], ended: threading.Event) -> None:
    """The target's runs of `minutely`, as long as there is a target; it is deleted at the end."""
    query = "select run_id, run_type from dag_run where dag_id = 'minutely'"
    while not ended.wait(0.5):
        with (
            suppress(AwsError, psycopg2.Error),
            closing(psycopg2.connect(aws.mwaa.environment(TARGET).database.dsn)) as target,
            target.cursor() as cursor,
        ):
            cursor.execute(query)
            found.update(cursor.fetchall())


# The first test, because a process has one local AWS at a time.
def test_a_permission_that_the_template_lacks_is_named(tmp_path: Path) -> None:
    written = application.build()
    template = yaml_parse(written.read_text())
    policies = template["Resources"]["PlanFunction"]["Properties"]["Policies"]
    policies.remove({"Ref": "GetEnvironmentPolicy"})
    # Beside the template, because the packages are found from there.
    without = written.with_name(f"without-permission-{tmp_path.name}.yaml")
    without.write_text(json.dumps(template))
    try:
        with AwsWithMwaa() as aws:
            machine = application.deploy(aws, template=without).state_machines["MigrateStateMachine"]
            client = aws.client("stepfunctions")
            execution = client.start_execution(stateMachineArn=machine, input=_input())["executionArn"]
            while (ended := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
                time.sleep(0.2)
    finally:
        without.unlink()
    assert ended["status"] == "FAILED"
    assert "PlanFunction" in ended["cause"]
    assert "airflow:GetEnvironment" in ended["cause"]


def _input() -> str:
    return json.dumps({"source": {"environment": "old"}, "target": {"environment": "new", "airflowVersion": "2.11.2"}})


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsWithMwaa]:
    before = set(processes.RUNNING.glob("*"))
    with AwsWithMwaa() as made:
        yield made
    assert not made.folder.exists()
    # What has a process is a local AWS of another test, which runs at the same time.
    left = {folder.name for folder in set(processes.RUNNING.glob("*")) - before}
    assert {name for name in left if leftovers.process_of(name) is None} == set()


@pytest.fixture(scope="module")
def command(aws: AwsWithMwaa, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """`make rehearsal` in its smallest form; its source is still there afterwards."""
    out, printed = tmp_path_factory.mktemp("out"), io.StringIO()
    settings = Settings.from_variables({"SOURCE": "2.10.3", "TARGET": "2.11.2", "OUT": str(out)})
    settings.check()
    code = rehearsal.run_in(aws, settings, Console(file=printed, width=1000))
    return Command(code, printed.getvalue(), out)


def add_dags(aws: AwsWithMwaa, folder: Path) -> None:
    """Adds DAGs to the source; each is unpaused, and has one run that succeeds."""
    source = aws.mwaa.environment(SOURCE_NAME)
    bucket = source.settings["SourceBucketArn"].split(":")[-1]
    for file in folder.rglob("*.py"):
        key = f"source/dags/{file.relative_to(folder)}"
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    wait_until_parsed(source, wanted=set(DAGS))
    airflow = source.airflow
    assert airflow is not None
    for dag in DAGS:
        for arguments in (["unpause", dag], ["trigger", "--run-id", f"rehearsal_{dag}", dag]):
            done = airflow.command(["dags", *arguments], timeout=60)
            assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 180
    succeeded = "select count(*) from dag_run where run_id like 'rehearsal\\_%' and state = 'success'"
    while query(source, succeeded) != [(len(DAGS),)]:
        assert time.monotonic() < deadline, "the runs have not ended"
        time.sleep(0.5)


def run_again(environment: Environment, came_of_it: list[str]) -> None:
    """Clears the old failed run of an environment that is about to be deleted, and notes what its attempt said."""
    try:
        target = Airflow3.of(environment)
        target.patch(f"/dags/{old_runs.FAILED}", {"is_paused": False})
        target.run_again(old_runs.FAILED)
        target.await_log(f"attempt 3 in {environment.name}", old_runs.FAILED, "work", 3)
        came_of_it.append("success")
    except AssertionError as error:
        came_of_it.append(str(error))


@pytest.fixture(scope="module")
def rehearsed(command: Command, aws: AwsWithMwaa, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """The second rehearsal; `command` was the first one."""
    add_dags(aws, dags(tmp_path_factory.mktemp("dags")))
    old_runs.add_to(aws, aws.mwaa.environment(SOURCE_NAME), [old_runs.FAILED])
    again: list[str] = []
    document = {
        "source": {"environment": SOURCE_NAME},
        "target": {"environment": TARGET, "airflowVersion": "3.2.1"},
        # Neither workers nor a plugin let the import in.
        "options": {"pollSeconds": 1, "wayIn": "worker", "smokeTest": list(DAGS), "smokeTestMinutes": 3},
    }
    runs: dict[str, str] = {}
    ended = threading.Event()
    watching = threading.Thread(target=watch_runs, args=(aws, runs, ended))
    watching.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(database_access.WORKER_DATABASE, database_access.NONE)

            def before_deletion(environment: Environment) -> None:
                # The fall back deletes the target that lets nobody in; the upgraded one does.
                if os.environ.get(database_access.WORKER_DATABASE) == database_access.NONE:
                    patch.delenv(database_access.WORKER_DATABASE)
                else:
                    run_again(environment, again)

            # In the place of the first one's inspection of its target.
            aws.mwaa.before_deletion = before_deletion
            _, output = execute(aws, document, "RehearseStateMachine")
    finally:
        ended.set()
        watching.join()
    return Rehearsed(aws, output, report(aws, output), runs, again)


@pytest.mark.timeout(900)
def test_rehearsal(command: Command) -> None:
    out, printed = command.out, command.printed
    assert command.code == 0, printed[-6000:]
    # Its target is deleted, and was asked for the old runs' logs before.
    assert "nothing of it is left: " in printed
    shown = re.search(r"shows (\d+) of (\d+) logs of old runs", printed)
    assert shown is not None
    assert int(shown[1]) == int(shown[2]) >= 10
    assert "airflow-rehearsal-source-rehearsal-" in (out / "tasks.log").read_text()
    report = json.loads((out / "report.json").read_text())
    assert (report["mode"], report["status"]) == ("rehearse", "SUCCEEDED")
    assert report["source"]["airflow_version"] == "2.10.3"
    assert report["target"]["airflow_version"] == "2.11.2"
    assert report["path"][-1] == "2.11.2"
    # The source has four DAGs.
    assert (report["environment_class"], report["environment_class_on_the_day"]) == ("mw1.small", "mw1.medium")
    assert {"plan", "create target", "export", "import", "verify"} <= {phase["name"] for phase in report["phases"]}
    assert report["tables"]["dag_run"]["merged"] >= 5
    assert report["tables"]["task_instance"]["merged"] >= 10
    assert all(table["match"] for table in report["tables"].values())
    assert report["dags"]["import_errors"] == []
    schema = json.loads((ROOT / "functions/migration/report/report.schema.json").read_text())
    Draft202012Validator(schema).validate(report)
    assert "Rehearsal passed" in (out / "report.html").read_text()
    assert "Rehearsal passed" in (out / "report.md").read_text()
    assert report["logs"]["events_source"] == report["logs"]["events_copied"] > 0
    denied = [call for call in json.loads((out / "calls.json").read_text()) if call["decision"] != "allowed"]
    assert denied == []


def test_the_command_says_what_it_cannot_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "rehearsal"],
        cwd=ROOT,
        env={**os.environ, "SOURCE": "9.9.9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "SOURCE is 9.9.9" in done.stdout


def check(rehearsed: Rehearsed, name: str) -> dict[str, Any]:
    (found,) = [check for check in rehearsed.report["checks"] if check["name"] == name]
    return dict(found)


@pytest.mark.timeout(900)
def test_a_target_whose_workers_know_nothing_of_their_database(rehearsed: Rehearsed) -> None:
    """A real 3.2.1 was made and given up, and everything arrived through 2.11."""
    told = rehearsed.report
    assert (told["path"], told["verified"], told["way_in"]) == (["2.10.3", "2.11.2", "3.2.1"], True, "airflow")
    names = [phase["name"] for phase in told["phases"]]
    assert names.index("check target") < names.index("fall back") < names.index("import") < names.index("hop to 3.2.1")
    found = check(rehearsed, "Target database")
    assert found["result"] == "warn"
    tried = (
        "No way leads from this worker to the metadata database. Tried: MWAA__DB (without MWAA__DB__POSTGRES_USER, "
        "MWAA__DB__POSTGRES_PASSWORD); DB_SECRETS (without DB_SECRETS); IAM token (USE_IAM_CREDENTIALS is not true)."
    )
    assert tried in found["message"]
    assert "Plan the day with the upgrade in place" in found["remedy"]
    assert any("because it let no task into its database" in note for note in told["notes"])
    assert credentials_in(rehearsed.aws, json.dumps(told)) == []


@pytest.mark.timeout(900)
def test_the_verdict_is_red_and_names_file_line_and_remedy(rehearsed: Rehearsed) -> None:
    assert (rehearsed.output["outcome"], rehearsed.output["verdict"], rehearsed.report["verdict"]) == (
        "rehearsed",
        "fail",
        "fail",
    )
    schema = json.loads((ROOT / "functions/migration/report/report.schema.json").read_text())
    Draft202012Validator(schema).validate(rehearsed.report)
    broken = check(rehearsed, "Import errors")
    (place,) = broken["findings"]
    assert (broken["result"], place["file"], place["line"]) == ("fail", "team/reports.py", 3)
    assert "airflow.operators.python_operator" in place["message"]
    assert "apache-airflow-providers-standard" in place["remedy"]
    assert 'team/reports.py", line 3' in place["detail"]


@pytest.mark.timeout(900)
def test_a_missing_dag_has_its_reason(rehearsed: Rehearsed) -> None:
    missing = check(rehearsed, "Missing DAGs")
    (dag,) = missing["findings"]
    assert (missing["result"], dag["dag"], dag["file"]) == ("fail", "reports", "team/reports.py")
    assert dag["message"].startswith("Its file cannot be imported: ")


@pytest.mark.timeout(900)
def test_history_and_logs_are_compared(rehearsed: Rehearsed) -> None:
    compared = check(rehearsed, "History and logs")
    assert compared["result"] == "pass"
    assert any(place["message"].startswith("dag_run: ") for place in compared["findings"])


@pytest.mark.timeout(900)
def test_dags_run_in_the_target_beside_their_last_runs(rehearsed: Rehearsed) -> None:
    smoke = check(rehearsed, "Smoke test")
    found = {place["dag"]: place for place in smoke["findings"]}
    assert smoke["result"] == "fail"
    assert "has not parsed it" in found["reports"]["message"]
    for dag in ("orders", "minutely"):
        assert found[dag]["message"].startswith("success in ")
        assert "the source's last run: success in " in found[dag]["message"]
        lines = found[dag]["detail"].splitlines()
        assert [line.split(": success in ")[0] for line in lines] == ["first", "second"]
        assert all("; source: success in " in line for line in lines)


@pytest.mark.timeout(900)
def test_the_scheduler_runs_what_is_due_while_a_dag_is_unpaused(rehearsed: Rehearsed) -> None:
    """What the documentation warns of."""
    kinds = set(rehearsed.runs.values())
    ours = [run for run in rehearsed.runs if run.startswith("mwaa_migrator_smoke_test__")]
    assert len(ours) == 1
    assert "scheduled" in kinds


@pytest.mark.timeout(900)
def test_an_old_run_that_is_cleared_after_the_upgrade_runs_at_once(rehearsed: Rehearsed) -> None:
    assert rehearsed.again == ["success"]
    notes = rehearsed.report["notes"]
    assert any("got the target's latest version of their DAG" in note for note in notes)
    # Of the DAG that the target cannot import.
    assert any(note.startswith("1 task instance of DAGs that the target does not know") for note in notes)
    assert [one["name"] for one in rehearsed.report["checks"] if one["name"].startswith("GiveDagVersions")] == []


@pytest.mark.timeout(900)
def test_code_requirements_and_options_are_checked(rehearsed: Rehearsed) -> None:
    removed = check(rehearsed, "Removed in Airflow 3")
    (place,) = removed["findings"]
    assert (removed["result"], place["file"], place["line"]) == ("fail", "team/reports.py", 6)
    assert "apache-airflow-providers-standard" in place["remedy"]
    for name in ("Python syntax", "Requirements", "Installation of the requirements", "Airflow options"):
        assert check(rehearsed, name)["result"] == "pass"


@pytest.mark.timeout(900)
def test_the_target_has_a_price(rehearsed: Rehearsed) -> None:
    assert rehearsed.report["price_usd"] >= 0
    assert " hours of mw1.medium in eu-west-1 at 0.74 USD an hour. " in rehearsed.report["price_basis"]


# An update does not ask for what a creation does.
NOT_USED_BY_AN_UPDATE = {
    "iam:PassRole",
    "s3:GetEncryptionConfiguration",
    "ec2:CreateNetworkInterface",
    "ec2:CreateVpcEndpoint",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("function", "not_used"),
    [
        ("CheckFilesFunction", set()),
        ("CheckTargetFunction", set()),
        ("StageSettingsFunction", set()),
        ("UpdateEnvironmentFunction", NOT_USED_BY_AN_UPDATE),
        ("GiveDagVersionsFunction", {"s3:GetEncryptionConfiguration", "kms:GenerateDataKey"}),
    ],
)
def test_what_the_function_may_do_is_what_it_does(rehearsed: Rehearsed, function: str, not_used: set[str]) -> None:
    calls = rehearsed.aws.endpoint.record.calls()
    assert [call for call in calls if call.decision != "allowed"] == []
    role = rehearsed.aws.deployed.functions[function].role_arn
    used = {call.action for call in calls if call.role_arn == role}
    assert allowed_actions(template()["Resources"][function]) - used <= not_used
