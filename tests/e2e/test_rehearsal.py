"""A rehearsal, as `make rehearsal` runs it, in its smallest form; and what a missing permission looks like."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.installations import leftovers, processes
from local.installations.folders import ROOT
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application


@pytest.mark.timeout(1500)
def test_rehearsal(tmp_path: Path) -> None:
    before = set(processes.RUNNING.glob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "local", "rehearsal"],
        cwd=ROOT,
        env={**os.environ, "SOURCE": "2.10.3", "TARGET": "2.11.2", "OUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    # Its target is deleted, and was asked for the old runs' logs before.
    assert "nothing of it is left: " in done.stdout
    shown = re.search(r"shows (\d+) of (\d+) logs of old runs", done.stdout)
    assert shown is not None
    assert int(shown[1]) == int(shown[2]) >= 10
    assert "airflow-rehearsal-source-rehearsal-" in (tmp_path / "tasks.log").read_text()
    report = json.loads((tmp_path / "report.json").read_text())
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
    assert "Rehearsal passed" in (tmp_path / "report.html").read_text()
    assert "Rehearsal passed" in (tmp_path / "report.md").read_text()
    assert report["logs"]["events_source"] == report["logs"]["events_copied"] > 0
    denied = [call for call in json.loads((tmp_path / "calls.json").read_text()) if call["decision"] != "allowed"]
    assert denied == []
    # What has a process is a local AWS of another test, which runs at the same time.
    made = {folder.name for folder in set(processes.RUNNING.glob("*")) - before}
    assert {name for name in made if leftovers.process_of(name) is None} == set()


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
