"""A rehearsal of DAGs of which one does not fit the target's version: what it finds, and that it says so everywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from jsonschema import Draft202012Validator

from local.aws.responses import AwsError
from local.installations.folders import ROOT
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application, demo_source
from tests.e2e.execution import execute, report
from tests.e2e.test_migration import allowed_actions
from tools.template import template

TARGET = "prod-3-rehearsal"
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


@dataclass
class Rehearsed:
    """A rehearsal that has ended, and the runs that its target had of the DAG with a schedule."""

    aws: AwsWithMwaa
    output: dict[str, Any]
    report: dict[str, Any]
    runs: dict[str, str] = field(default_factory=dict)


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


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with AwsWithMwaa() as aws:
        application.deploy(aws)
        demo_source.make(aws, "prod-2-10", "2.10.3", dags(tmp_path_factory.mktemp("dags")), None, print)
        document = {
            "source": {"environment": "prod-2-10"},
            "target": {"environment": TARGET, "airflowVersion": "3.2.1"},
            "options": {"pollSeconds": 1, "smokeTest": ["orders", "minutely", "reports"], "smokeTestMinutes": 3},
        }
        runs: dict[str, str] = {}
        ended = threading.Event()
        watching = threading.Thread(target=watch_runs, args=(aws, runs, ended))
        watching.start()
        try:
            _, output = execute(aws, document, "RehearseStateMachine")
        finally:
            ended.set()
            watching.join()
        yield Rehearsed(aws, output, report(aws, output), runs)


def check(rehearsed: Rehearsed, name: str) -> dict[str, Any]:
    (found,) = [check for check in rehearsed.report["checks"] if check["name"] == name]
    return dict(found)


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


@pytest.mark.timeout(900)
@pytest.mark.parametrize("function", ["CheckFilesFunction", "CheckTargetFunction"])
def test_what_the_function_may_do_is_what_it_does(rehearsed: Rehearsed, function: str) -> None:
    calls = rehearsed.aws.endpoint.record.calls()
    assert [call for call in calls if call.decision != "allowed"] == []
    role = rehearsed.aws.deployed.functions[function].role_arn
    used = {call.action for call in calls if call.role_arn == role}
    assert allowed_actions(template()["Resources"][function]) <= used
