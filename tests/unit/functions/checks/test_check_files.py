"""CheckFiles with the real ruff, S3 and CloudWatch Logs of moto."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import check_files
import poll_environment
import report
from local.rehearsal.demo_source import DEMO_DAGS
from migration import errors
from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.checks import check_results, dag_code, dag_files, gate, installation_log, linter, options, requirements
from migration.checks.check_results import Check, Finding
from migration.exchange.store import of_artifact, of_attempt, of_migration
from migration.report import contents, judging, page
from tests.unit.functions.conftest import Environments, Handler, document
from tools.example_report import example

GOOD = """
from airflow.sdk import DAG
DAG("good", schedule="@daily")
"""
OLD = """
from airflow import DAG
from airflow.operators.bash_operator import BashOperator

with DAG("old", schedule_interval="@daily"):
    BashOperator(task_id="old", bash_command="true")
"""
BASE = "https://raw.githubusercontent.com/apache/airflow/"
LINE = f'--constraint "{BASE}constraints-3.2.1/constraints-3.12.txt"'
GROUP = "airflow-prod-3-Scheduler"


@pytest.fixture(autouse=True)
def ruff_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the layer puts it there."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


@pytest.fixture
def checked(mwaa: Environments, call: Handler) -> Callable[..., dict[str, Check]]:
    """Runs CheckFiles over files of the DAG folder and gives the checks by their names."""

    def run(
        files: dict[str, str | bytes], version: str = "3.2.1", environment: dict[str, Any] | None = None
    ) -> dict[str, Check]:
        import plan

        mwaa.all.pop("prod-3", None)
        target = {"environment": "prod-3", "airflowVersion": version}
        migration = call(plan, input=document(target=target, mode="rehearse"))
        mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", **(environment or {})}
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            clients.s3().put_object(Bucket="dags", Key=f"prod-3/dags/{name}", Body=body)
        call(check_files, migration=migration)
        return {check["name"]: check for check in kept(migration)}

    return run


def kept(migration: dict[str, Any]) -> list[Check]:
    return check_results.read(of_attempt(clients.s3(), migration))  # type: ignore[arg-type]  # a plain dict


Checked = Callable[..., dict[str, Check]]


def places(check: Check) -> list[tuple[Any, Any]]:
    return [(found.get("file"), found.get("line")) for found in check["findings"]]


# The DAGs' code.


def test_what_airflow_3_has_removed_fails_with_file_line_and_remedy(checked: Checked) -> None:
    check = checked({"team/old.py": OLD, "good.py": GOOD})["Removed in Airflow 3"]
    assert (check["result"], check["message"]) == (
        "fail",
        "In 2 places of 1 file the DAGs use what Airflow 3 does not have any more.",
    )
    assert places(check) == [("team/old.py", 5), ("team/old.py", 6)]
    assert [found["message"] for found in check["findings"]] == [
        "`schedule_interval` is removed in Airflow 3.0 (AIR301)",
        "`airflow.operators.bash_operator.BashOperator` is moved into `standard` provider in Airflow 3.0 (AIR302)",
    ]
    assert check["findings"][0]["remedy"] == "Use `schedule` instead"
    assert "airflow.providers.standard.operators.bash" in (check["findings"][1]["remedy"] or "")


def test_what_airflow_3_has_deprecated_warns(checked: Checked) -> None:
    check = checked({"old.py": OLD})["Deprecated in Airflow 3"]
    assert (check["result"], places(check)) == ("warn", [("old.py", 5)])


def test_code_for_airflow_3_passes(checked: Checked) -> None:
    found = checked({"good.py": GOOD, "lib/helper.py": "x = 1\n"})
    assert {check["result"] for check in found.values()} == {"pass"}
    assert found["Python syntax"]["message"] == "2 files read, each is valid Python 3.12."


def test_a_2_target_still_has_what_airflow_3_has_removed(checked: Checked) -> None:
    found = checked({"old.py": OLD}, version="2.11.2")
    assert {check["result"] for check in found.values()} == {"pass"}
    assert found["Ready for Airflow 3"]["message"] == (
        "In 2 places of 1 file the DAGs use what Airflow 3 has removed. The target still has it."
    )
    assert places(found["Ready for Airflow 3"]) == [("old.py", 5), ("old.py", 6)]


def test_a_dag_that_2_runs_daily_and_3_never(checked: Checked) -> None:
    check = checked({"a.py": 'from airflow.sdk import DAG\nDAG("a")\n'})["DAGs without a schedule"]
    assert (check["result"], places(check)) == ("warn", [("a.py", 2)])


def test_what_ruff_has_no_replacement_for_has_ours(checked: Checked) -> None:
    code = "from airflow.utils.dates import days_ago\nstart = days_ago(1)\n"
    (found,) = checked({"a.py": code})["Removed in Airflow 3"]["findings"]
    assert found["remedy"] == "Give a fixed date, such as `pendulum.datetime(2024, 1, 1)`."


@pytest.mark.parametrize("comment", ["# noqa", "# noqa: AIR301"])
def test_comments_silence_nothing(checked: Checked, comment: str) -> None:
    code = f'from airflow.sdk import DAG\nDAG("a", schedule_interval=None)  {comment}\n'
    assert checked({"a.py": code})["Removed in Airflow 3"]["result"] == "fail"


def test_an_import_that_has_a_way_out_is_none(checked: Checked) -> None:
    code = """
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash_operator import BashOperator
BashOperator(task_id="a", bash_command="true")
"""
    assert checked({"a.py": code})["Removed in Airflow 3"]["result"] == "pass"


def test_what_stands_in_for_a_missing_import_is_none(checked: Checked) -> None:
    code = """
import functools
try:
    from airflow.providers.standard.operators.python import PythonOperator
except (ImportError, KeyError):
    from airflow.operators.python_operator import PythonOperator as Old

    PythonOperator = functools.partial(Old, provide_context=True)
"""
    assert checked({"a.py": code})["Removed in Airflow 3"]["result"] == "pass"
    other = code.replace("(ImportError, KeyError)", "KeyError")
    assert places(checked({"a.py": other})["Removed in Airflow 3"]) == [("a.py", 8)]


def test_the_third_way_to_import_is_none_either(checked: Checked) -> None:
    code = """
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    try:
        from airflow.operators.bash import BashOperator
    except ModuleNotFoundError:
        from airflow.operators.bash_operator import BashOperator
BashOperator(task_id="a", bash_command="true")
"""
    assert checked({"a.py": code})["Removed in Airflow 3"]["result"] == "pass"
    only = code + "from airflow.operators.bash_operator import BashOperator\nBashOperator(task_id='b')\n"
    assert checked({"a.py": only})["Removed in Airflow 3"]["result"] == "fail"


def test_a_schedule_may_come_with_other_arguments(checked: Checked) -> None:
    code = 'from airflow.sdk import DAG\narguments = {"schedule": None}\nDAG("a", **arguments)\nDAG("b")\n'
    assert places(checked({"a.py": code})["DAGs without a schedule"]) == [("a.py", 4)]


def test_dags_that_run_on_all_versions_have_nothing_that_is_removed(checked: Checked) -> None:
    files = {file.name: file.read_text() for file in DEMO_DAGS.glob("*.py")}
    found = checked(dict(files))
    assert {found[name]["result"] for name in ("Removed in Airflow 3", "DAGs without a schedule")} == {"pass"}


def test_syntax_errors_of_dag_files_fail(checked: Checked) -> None:
    check = checked({"broken.py": f"{OLD}\nif:\n", "good.py": GOOD})["Python syntax"]
    assert (check["result"], check["message"]) == ("fail", "1 file of 2 cannot be compiled by Python 3.12.")
    assert places(check)[0] == ("broken.py", 8)


def test_syntax_errors_of_files_that_airflow_does_not_parse_warn(checked: Checked) -> None:
    assert checked({"template.py": "{{ imports }}\nclass {{ name }}:\n"})["Python syntax"]["result"] == "warn"


def test_the_grammar_is_that_of_the_targets_python(checked: Checked) -> None:
    code = "type X = int\n"  # new in Python 3.12
    assert checked({"a.py": code}, version="2.10.3")["Python syntax"]["result"] == "warn"
    assert checked({"a.py": code}, version="3.2.1")["Python syntax"]["result"] == "pass"


def test_a_file_that_python_cannot_read(checked: Checked) -> None:
    check = checked({"a.py": b"from airflow import DAG\ndag = '\xe9'\n"})["Python syntax"]
    assert (check["result"], places(check)) == ("fail", [("a.py", None)])
    declared = b"# -*- coding: latin-1 -*-\nfrom airflow import DAG\ndag = '\xe9'\n"
    assert checked({"a.py": declared})["Python syntax"]["result"] == "pass"


def test_ten_thousand_lines(checked: Checked) -> None:
    line = "BashOperator(task_id='a', bash_command='true')\n"
    check = checked({"long.py": "from airflow.operators.bash_operator import BashOperator\n" + line * 10_000})[
        "Removed in Airflow 3"
    ]
    assert check["message"].startswith("In 10,000 places of 1 file")
    assert len(check["findings"]) == 1000


def test_markup_in_code_stays_text(checked: Checked) -> None:
    found = checked({"<script>alert(1)</script>.py": f"{OLD}\n<script>alert(1)</script>\n"})
    check = found["Python syntax"]
    assert check["result"] == "fail"
    html = page.render({**example(), "checks": list(found.values())})
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.py:8" in html


def test_dags_in_zips_are_looked_at(checked: Checked) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../old.py", OLD)
        archive.writestr("data.csv", "1")
    found = checked({"dags.zip": content.getvalue(), "broken.zip": b"PK no zip"})
    assert places(found["Removed in Airflow 3"])[0] == ("dags.zip/../../old.py", 5)
    unread = found["DAG files not examined"]
    assert (unread["result"], places(unread)) == ("warn", [("broken.zip", None)])


def test_what_is_too_large_is_named(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_files, "MAX_FILE", 100)
    monkeypatch.setattr(dag_files, "MAX_ALL", 150)
    small = "x = 1  # " + "." * 70 + "\n"
    found = checked({"large.py": "#" * 101, "1.py": small, "2.py": small})["DAG files not examined"]
    assert places(found) == [("2.py", None), ("large.py", None)]


def test_a_zip_is_as_large_as_what_is_in_it(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_files, "MAX_FILE", 2000)
    monkeypatch.setattr(dag_files, "MAX_ALL", 3000)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("1.py", 1900), ("2.py", 1900), ("large.py", 2001)):
            archive.writestr(name, "#" * size)
    found = checked({"dags.zip": content.getvalue()})["DAG files not examined"]
    assert places(found) == [("dags.zip/2.py", None), ("dags.zip/large.py", None)]


def test_our_own_files_and_other_files_are_not_looked_at(checked: Checked) -> None:
    found = checked({"mwaa_migrator_export.py": "if:", "mwaa_migrator/a.py": "if:", "query.sql": "if:"})
    assert found["Python syntax"]["message"].startswith("0 files read")


def test_a_linter_that_is_not_there_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.LinterFailed, match="RuffLayer"):
        linter.lint(tmp_path, "3.12", ["AIR301"])


def test_a_linter_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(errors.LinterFailed, match=r"ruff ended with 2: .*py99"):
        linter.lint(tmp_path, "9.9", ["AIR301"])


@pytest.mark.parametrize("rule", dag_code.RULES)
def test_the_linter_has_each_rule(rule: str) -> None:
    assert subprocess.run(["ruff", "rule", rule], capture_output=True, check=False).returncode == 0


# Requirements.


@pytest.mark.parametrize(
    ("text", "result", "line", "message"),
    [
        (f"{LINE}\npandas==2.1.0\n", "pass", None, ""),
        (
            f"{LINE}\npandas==2.1.0 ; python_version < '3.12'\npandas==2.2.0 ; python_version >= '3.12'\n",
            "pass",
            None,
            "",
        ),
        ("pandas\n", "warn", None, "no constraint line"),
        ("# --constraint none: we pin all\npandas\n", "pass", None, ""),
        ("--no-index\n--find-links /usr/local/airflow/plugins\npandas\n", "pass", None, ""),
        (f"{LINE}\nPandas==2.1.0 \\\n  --hash=sha256:00\npandas == 2.2.0\n", "fail", 4, "2.2.0 here and 2.1.0 in"),
        (f"--constraint \\\n {BASE}constraints-2.10.3/constraints-3.11.txt\n", "warn", 1, "Airflow 2.10.3 on Python"),
        ("-c https://user:secret@example.org/c.txt\n", "warn", 1, "The constraint file https://example.org/c.txt is"),
        (f"-c {BASE}constraints-2.10.3/constraints-3.11.txt\n", "warn", 1, "Airflow 2.10.3 on Python 3.11"),
        (f"-c {BASE}constraints-3.2.1/constraints-3.11.txt\n", "warn", 1, "Airflow 3.2.1 on Python 3.11"),
        ("-c /usr/local/airflow/dags/mine.txt\n", "warn", 1, "/usr/local/airflow/dags/mine.txt is not Airflow's own"),
        (f"{LINE}\nPandas==2.1.0\nboto3\npandas[all] == 2.2.0  # why\n", "fail", 4, "2.2.0 here and 2.1.0 in line 2"),
        (f"{LINE}\napache_airflow[amazon]==2.10.3\n", "fail", 2, "asks for Airflow 2.10.3; the target runs 3.2.1"),
        (f"{LINE}\napache-airflow==3.2.1\n", "pass", None, ""),
    ],
)
def test_requirements(text: str, result: str, line: int | None, message: str) -> None:
    check = requirements.check(text, "3.2.1", "prod-3/3.2.1/requirements.txt", "")
    assert check["result"] == result
    if message:
        (found,) = check["findings"]
        assert (found.get("file"), found.get("line")) == ("prod-3/3.2.1/requirements.txt", line)
        assert message in (found["message"] or "")


def test_a_contradiction_that_the_source_has_too_is_a_warning() -> None:
    text = f"{LINE}\npandas==2.1.0\npandas==2.2.0\nboto3==1.40.0\n"
    check = requirements.check(text, "3.2.1", "requirements.txt", "pandas==2.1.0\npandas==2.2.0\n")
    assert check["result"] == "warn"
    assert [found["message"] for found in check["findings"]] == [
        "pandas is 2.2.0 here and 2.1.0 in line 2. It is so in the source's file."
    ]
    other = requirements.check(f"{text}boto3==1.41.0\n", "3.2.1", "requirements.txt", "pandas==2.1.0\npandas==2.2.0\n")
    assert other["result"] == "fail"


def with_requirements(content: bytes, enabled: bool = True) -> dict[str, Any]:
    """An environment with requirements.txt, as GetEnvironment answers it."""
    version = clients.s3().put_object(Bucket="dags", Key="prod-3/requirements.txt", Body=content)["VersionId"]
    arn = f"arn:aws:logs:eu-west-1:123456789012:log-group:{GROUP}"
    return {
        "RequirementsS3Path": "prod-3/requirements.txt",
        "RequirementsS3ObjectVersion": version,
        "LoggingConfiguration": {
            "SchedulerLogs": {"Enabled": enabled, "CloudWatchLogGroupArn": arn},
            "WorkerLogs": {"Enabled": False, "CloudWatchLogGroupArn": "arn:aws:logs:eu-west-1:1:log-group:none"},
        },
    }


def installed(*lines: str, stream: str = "requirements_install_ip_10_0_0_1.log") -> None:
    logs = clients.logs("eu-west-1")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    now = int(time.time() * 1000)
    events: Any = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_requirements_that_were_installed(checked: Checked) -> None:
    installed("[INFO] - Collecting pandas", "[INFO] - Successfully installed pandas-2.1.0")
    found = checked({}, environment=with_requirements(f"{LINE}\npandas\n".encode()))
    assert found["Requirements"]["result"] == "pass"
    assert found["Installation of the requirements"] == {
        "name": "Installation of the requirements",
        "result": "pass",
        "message": "No error in 1 log of the installation.",
    }


def test_requirements_that_could_not_be_installed(checked: Checked) -> None:
    installed(
        "[INFO] - Collecting nothing==1",
        "[INFO] - ERROR: No matching distribution found for nothing==1",
        "[ERROR] - ERROR: pip installation exited with a non-zero error code.",
    )
    check = checked({}, environment=with_requirements(LINE.encode()))["Installation of the requirements"]
    assert check["result"] == "fail"
    first, _ = check["findings"]
    assert first["message"] == "ERROR: No matching distribution found for nothing==1"
    assert f"{GROUP}, requirements_install_ip_10_0_0_1.log:\n[INFO] - Collecting nothing==1\n" in (
        first["detail"] or ""
    )


def test_requirements_that_do_not_agree_are_installed_all_the_same(checked: Checked) -> None:
    installed(
        "[INFO] - ERROR: pip's dependency resolver does not currently take into account all the packages that are"
    )
    found = checked({}, environment=with_requirements(LINE.encode()))
    assert found["Installation of the requirements"]["result"] == "warn"


@pytest.mark.parametrize("enabled", [True, False])
def test_an_installation_that_nobody_can_see(checked: Checked, enabled: bool) -> None:
    installed("ERROR: of the web server", stream="webserver.log")
    check = checked({}, environment=with_requirements(LINE.encode(), enabled))["Installation of the requirements"]
    assert (check["result"], check.get("findings")) == ("warn", None)
    assert check["message"].startswith("It is unknown whether they were installed.")


def test_logs_of_what_the_environment_was_before_do_not_count(mwaa: Environments) -> None:
    installed("ERROR: of 2.11")
    check = installation_log.check(clients.logs("eu-west-1"), with_requirements(b""), "2999-01-01T00:00:00.000+00:00")
    assert "no stream requirements_install... since 2999" in check["message"]


def test_a_target_that_an_earlier_attempt_made_is_judged_by_its_logs_since_then(
    mwaa: Environments, call: Handler
) -> None:
    """An attempt that finds the target as it was begins after its installation, which counts all the same."""
    installed("ERROR: No matching distribution found for nothing==1")
    migration = before_the_export(mwaa, call)
    clients.s3().delete_object(Bucket="dags", Key="prod-3/dags/team/old.py")
    mwaa.all["prod-3"] |= with_requirements(LINE.encode())
    of_attempt(clients.s3(), migration).write(  # type: ignore[arg-type]
        "phases/create_target.json", {"name": "create target", "started": "2999-01-01T00:00:00.000+00:00"}
    )
    shared = of_migration(clients.s3(), migration)  # type: ignore[arg-type]
    shared.write("target.json", {"since": "2026-01-01T00:00:00.000+00:00"})
    with pytest.raises(errors.ChecksFailed, match="Installation of the requirements"):
        call(check_files, migration=migration)
    # A target that was made anew, after a fall back, has the log groups of the one before.
    shared.write("target.json", {"since": "2999-01-01T00:00:00.000+00:00"})
    call(check_files, migration=migration)


@pytest.mark.parametrize(
    ("line", "checks", "mode", "stops"),
    [
        ("ERROR: No matching distribution found for nothing==1", "enforce", "migrate", True),
        ("ERROR: No matching distribution found for nothing==1", "warn", "migrate", False),
        ("ERROR: No matching distribution found for nothing==1", "enforce", "rehearse", False),
        ("Successfully installed pandas-2.1.0", "enforce", "migrate", False),
    ],
)
def test_a_target_that_installs_nothing_after_a_hop_is_not_cut_over_to(
    mwaa: Environments, call: Handler, line: str, checks: str, mode: str, stops: bool
) -> None:
    migration = before_the_export(mwaa, call, checks) | {"mode": mode}
    store = of_attempt(clients.s3(), migration)  # type: ignore[arg-type]
    store.start_phase("hop to 3.2.1")
    mwaa.all["prod-3"] |= with_requirements(LINE.encode()) | {"AirflowVersion": "3.2.1"}
    installed(line)
    event = {"migration": migration, "airflowVersion": "3.2.1", "waitedSeconds": 0}
    # The creation is judged by CheckFiles, with everything else.
    assert call(poll_environment, **event, phase="create target")["ready"]
    assert kept(migration) == []
    if stops:
        with pytest.raises(errors.ChecksFailed, match=r"After the upgrade to Airflow 3\.2\.1: Installation of the req"):
            call(poll_environment, **event, phase="hop to 3.2.1")
    else:
        assert call(poll_environment, **event, phase="hop to 3.2.1")["ready"]
    results = {check["name"]: check["result"] for check in kept(migration)}
    result = "fail" if line.startswith("ERROR") else "pass"
    name = "Installation of the requirements, Airflow 3.2.1"
    assert results == ({name: result} if mode == "migrate" else {})


def test_log_groups_that_may_not_be_read(mwaa: Environments) -> None:
    check = installation_log.check(clients.logs("eu-west-1"), with_requirements(b""), None)
    assert "The log groups could not be read: ResourceNotFoundException." in check["message"]


def test_requirements_in_another_encoding(checked: Checked) -> None:
    installed("[INFO] - Successfully installed pandas-2.1.0")
    check = checked({}, environment=with_requirements("pandas==1\npandas==2".encode("utf-16")))["Requirements"]
    assert check["result"] == "fail"
    assert "pandas is 2 here and 1 in line 1." in str(check["findings"])


def test_no_requirements(checked: Checked) -> None:
    found = checked({})
    assert found["Requirements"]["message"] == "The target has no requirements.txt."
    assert "Installation of the requirements" not in found


# Airflow options.


def test_options_that_the_target_does_not_know() -> None:
    source = {"core.check_slas": "s3cr3t", "core.dag_concurrency": "s3cr3t"}
    target = {"core.paralelism": "s3cr3t", "core.max_active_tasks_per_dag": "s3cr3t", "my_plugin.option": "s3cr3t"}
    check = options.check(source, target, "3.2.1")
    assert check["result"] == "warn"
    assert [found["message"] for found in check["findings"]] == [
        "core.check_slas was removed from Airflow; the target does without it.",
        "Airflow 3.2.1 ignores core.paralelism, which it does not know.",
    ]
    assert "s3cr3t" not in json.dumps(check)


def test_options_that_the_target_knows(checked: Checked) -> None:
    environment = {"AirflowConfigurationOptions": {"core.max_active_tasks_per_dag": "9"}}
    assert checked({}, environment=environment)["Airflow options"]["result"] == "pass"


# What was not checked.


def test_a_target_that_is_gone_keeps_what_was_checked_before(mwaa: Environments, call: Handler) -> None:
    import plan

    migration = call(plan, input=document(mode="rehearse"))
    with pytest.raises(errors.EnvironmentUnavailable, match="target prod-3"):
        call(check_files, migration=migration)
    assert "Python syntax" in [check["name"] for check in kept(migration)]


def test_what_was_not_checked_is_in_the_report(mwaa: Environments, call: Handler) -> None:
    import plan

    migration = call(plan, input=document(mode="rehearse"))
    cause = json.dumps({"errorMessage": "ruff is not on PATH.", "errorType": "LinterFailed"})
    unchecked = [{"state": "CheckFiles", "error": "LinterFailed", "cause": cause}]
    told = call(report, migration=migration, failure={}, rollBackFailure={}, unchecked=unchecked)
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    (check,) = written["checks"]
    assert (check["name"], check["result"]) == ("CheckFiles was not made", "warn")
    assert check["message"] == "LinterFailed: ruff is not on PATH."
    assert contents.unchecked([]) == []
    assert judging.WARN in {finding.level for finding in judging.judgements(written)}


# What stops a migration.


def before_the_export(mwaa: Environments, call: Handler, checks: str | None = None) -> dict[str, Any]:
    """The plan of a migration whose target is there; one of its DAG files is broken on Airflow 3."""
    import plan

    options = {} if checks is None else {"options": {"checks": checks}}
    migration = call(plan, input=document(**options))
    version = migration["target"]["airflowVersion"]
    assert version.startswith("3.")
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": version}
    clients.s3().put_object(Bucket="dags", Key="prod-3/dags/team/old.py", Body=OLD.encode())
    return migration


def test_a_failed_check_stops_a_migration(mwaa: Environments, call: Handler) -> None:
    migration = before_the_export(mwaa, call)
    with pytest.raises(errors.ChecksFailed) as raised:
        call(check_files, migration=migration)
    assert str(raised.value).startswith(
        "1 check failed, before any DAG was paused. Removed in Airflow 3: In 2 places of 1 file the DAGs use what "
        "Airflow 3 does not have any more (team/old.py:5, team/old.py:6). The report has each place"
    )
    # It stops with everything checked, so that all can be repaired together.
    assert {"Airflow options", "Requirements"} <= {check["name"] for check in kept(migration)}


def test_a_failed_check_only_warns_if_so_asked(mwaa: Environments, call: Handler) -> None:
    migration = before_the_export(mwaa, call, "warn")
    call(check_files, migration=migration)
    assert "fail" in {check["result"] for check in kept(migration)}


def test_a_file_that_is_broken_in_the_source_stops_nothing(mwaa: Environments, call: Handler) -> None:
    migration = before_the_export(mwaa, call)
    run = runs.run_id(migration, our_dags.PROBE)  # type: ignore[arg-type]  # a plain dict
    probed = {"run_id": run, "status": "done", "dag_list": {"dags": [], "broken_files": ["team/old.py"]}}
    of_artifact(clients.s3(), migration).write("probe/export.json", probed)  # type: ignore[arg-type]
    call(check_files, migration=migration)
    clients.s3().put_object(Bucket="dags", Key="prod-3/dags/other.py", Body=OLD.encode())
    with pytest.raises(errors.ChecksFailed, match=r"other\.py:5"):
        call(check_files, migration=migration)


def test_a_check_that_cannot_be_made_does_not_hide_one_that_failed(mwaa: Environments, call: Handler) -> None:
    migration = before_the_export(mwaa, call)
    mwaa.all.pop("prod-3")
    with pytest.raises(errors.ChecksFailed, match="Removed in Airflow 3"):
        call(check_files, migration=migration)


def test_what_the_target_was_asked_counts_as_well(mwaa: Environments, call: Handler) -> None:
    migration = before_the_export(mwaa, call)
    clients.s3().delete_object(Bucket="dags", Key="prod-3/dags/team/old.py")
    call(check_files, migration=migration)
    failed = Check(name="Import errors", result="fail", message="Airflow cannot import 1 DAG file.")
    check_results.write(of_attempt(clients.s3(), migration), "target", [failed])  # type: ignore[arg-type]
    with pytest.raises(errors.ChecksFailed, match=r"Import errors: Airflow cannot import 1 DAG file\. The report"):
        call(check_files, migration=migration)


@pytest.mark.parametrize(
    ("files", "stops"),
    [([], True), (["broken.py"], False), (["broken.py", "new.py"], True), (["dags/requirements.txt"], True)],
)
def test_only_what_is_new_against_the_source_stops(files: list[str], stops: bool) -> None:
    check = Check(name="X", result="fail", message="M.", findings=[Finding(file=file) for file in files])
    assert gate.is_new(check, ["broken.py"]) is stops
