"""What an environment's class and version take."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.responses import AwsError
from local.mwaa.environment_rules import check_fields, check_upgrade, defaults, updated

TEAMS = {"one": {"SourceBucketArn": "arn:aws:s3:::dags", "DagS3Path": "one"}}


def settings(version: str = "3.2.1", its: str = "mw1.small", **fields: Any) -> dict[str, Any]:
    return {"AirflowVersion": version, "EnvironmentClass": its, **defaults(its, version), **fields}


@pytest.mark.parametrize(
    "fits",
    [
        settings(WebserverAccessMode="PUBLIC_AND_PRIVATE", Teams=TEAMS, IdentityCenterConfiguration={"StartUrl": "u"}),
        settings("3.0.6", WebserverAccessMode="PUBLIC_ONLY", IdentityCenterConfiguration={"StartUrl": "u"}),
        settings("2.11.2", Schedulers=5, MaxWebservers=5),
        settings("2.11.2", "mw1.micro"),
        settings("1.10.12"),
    ],
)
def test_taken(fits: dict[str, Any]) -> None:
    check_fields(fits)


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (settings("3.0.6", WebserverAccessMode="PUBLIC_AND_PRIVATE"), "WebserverAccessMode PUBLIC_AND_PRIVATE is not"),
        (settings("2.11.2", Teams=TEAMS), "Teams is not supported for Airflow 2.11.2"),
        (settings("2.11.2", IdentityCenterConfiguration={"StartUrl": "u"}), "IdentityCenterConfiguration is not"),
        (settings("2.11.2", "mw1.micro", MaxWebservers=2), "MaxWebservers 2 is not supported for mw1.micro"),
        (settings("2.11.2", Schedulers=1), "Schedulers 1 is not supported for mw1.small"),
        (settings("1.10.12", Schedulers=2), "Schedulers 2 is not supported for mw1.small with Airflow 1.10.12"),
    ],
)
def test_refused(refused: dict[str, Any], says: str) -> None:
    with pytest.raises(AwsError, match=says):
        check_fields(refused)


@pytest.mark.parametrize(
    ("current", "wanted"),
    [("2.10.3", "2.11.2"), ("2.11.2", "3.2.1"), ("3.0.6", "3.2.1"), ("3.2.1", "2.11.2"), ("3.2.1", None)],
)
def test_an_upgrade_or_the_one_downgrade(current: str, wanted: str | None) -> None:
    check_upgrade(current, wanted)


@pytest.mark.parametrize(
    ("current", "wanted", "says"),
    [
        ("2.10.3", "3.2.1", "only from 2.11.2"),
        ("3.2.1", "3.0.6", "Downgrading from 3.2.1 to 3.0.6"),
        ("3.2.1", "2.10.3", "Downgrading from 3.2.1 to 2.10.3"),
        ("2.11.2", "2.10.3", "Downgrading from 2.11.2 to 2.10.3"),
    ],
)
def test_another_change_of_version(current: str, wanted: str, says: str) -> None:
    with pytest.raises(AwsError, match=says):
        check_upgrade(current, wanted)


def test_an_update_changes_what_it_names_and_takes_a_file_away_by_an_empty_path() -> None:
    logs = {"TaskLogs": {"Enabled": True}, "WorkerLogs": {"Enabled": False}}
    before = settings(PluginsS3Path="plugins.zip", RequirementsS3Path="r.txt", LoggingConfiguration=logs)
    changes = {"RequirementsS3Path": "", "MaxWorkers": 3, "LoggingConfiguration": {"WorkerLogs": {"Enabled": True}}}
    after = updated(before, changes)
    assert "RequirementsS3Path" not in after
    assert (after["PluginsS3Path"], after["MaxWorkers"]) == ("plugins.zip", 3)
    assert after["LoggingConfiguration"] == {"TaskLogs": {"Enabled": True}, "WorkerLogs": {"Enabled": True}}
