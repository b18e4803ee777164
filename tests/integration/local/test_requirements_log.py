"""What an environment here logs of its requirements, and what the check of a rehearsal reads in it."""

from __future__ import annotations

import pytest

from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowInstallation
from local.mwaa import requirements_log
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from migration.checks import installation_log

AIRFLOW = "2.11.2"
LINE = '--constraint "https://raw.githubusercontent.com/apache/airflow/constraints-2.11.2/constraints-3.12.txt"\n'
NAME = "requiring"


@pytest.fixture(scope="module")
def airflow() -> AirflowInstallation:
    return airflow_installation.install(AIRFLOW)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"{LINE}apache-airflow-providers-http\n", "pass"),
        (f"{LINE}sqlalchemy==2.0.0\n", "fail"),
        ("pendulum==0.0.0.1\n", "fail"),
    ],
)
def test_what_is_logged_is_what_is_read(aws: AwsWithMwaa, airflow: AirflowInstallation, text: str, result: str) -> None:
    logs = aws.client("logs")
    name = f"{NAME}-{abs(hash(text))}"
    group = f"airflow-{name}-Scheduler"
    logs.create_log_group(logGroupName=group)
    lines = requirements_log.resolve(airflow, text)
    assert any("Constraints should be specified" in line for line in lines) == ("--constraint" not in text)
    requirements_log.publish(logs, name, {"Scheduler", "Task"}, lines)
    arn = f"arn:aws:logs:{aws.region}:123456789012:log-group:{group}"
    found = {"LoggingConfiguration": {"SchedulerLogs": {"Enabled": True, "CloudWatchLogGroupArn": arn}}}
    check = installation_log.check(logs, found, None)
    assert check["result"] == result
    if result == "fail":
        messages = [finding.get("message") or "" for finding in check["findings"]]
        assert messages[0].startswith("ERROR: No solution found when resolving dependencies")
