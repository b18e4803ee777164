"""What is left of rehearsals, taken back; with moto's S3 and a table of environments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

import grant_access
import plan
import sweep
from migration import errors
from migration.aws import clients
from migration.exchange.locks import Locks, Place
from tests.unit.functions.conftest import EXECUTION, Commands, Environments, Handler, document
from tests.unit.functions.exchange.test_locks import OTHER, Executions

SOURCE = Place("eu-west-1", "prod-2-10")
TARGET = "prod-2-10-rehearsal-0123456789"
NOW = datetime.now(UTC)
DONE = {"ready": True, "waitSeconds": 0, "waitedSeconds": 60}
Plan = dict[str, Any]


def keys(bucket: str = "dags", prefix: str = "") -> list[str]:
    return [item["Key"] for item in clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def environment(migration: Plan, created: datetime = NOW, **tags: str) -> dict[str, Any]:
    own = {"mwaa-migrator:migration": migration["id"], "mwaa-migrator:throw-away": "true"}
    return {
        "Name": TARGET,
        "Status": "AVAILABLE",
        "AirflowVersion": "2.11.2",
        "CreatedAt": created,
        "Tags": own | tags,
    }


@pytest.fixture(autouse=True)
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    running = Executions()
    monkeypatch.setattr(clients, "states", lambda: running)
    return running


@pytest.fixture
def rehearsal(mwaa: Environments, commands: Commands, call: Handler) -> Plan:
    """A rehearsal that was aborted when everything was there."""
    target = {"environment": TARGET, "airflowVersion": "3.2.1"}
    migration = call(plan, input=document(mode="rehearse", target=target))
    call(grant_access, migration=migration)
    mwaa.all[TARGET] = environment(migration)
    for key in ("dags/user.py", "dags/mwaa_migrator_export.py", f"{TARGET}/dags/user.py", "prod-3/dags/user.py"):
        clients.s3().put_object(Bucket="dags", Key=key, Body=b"")
    for group in (f"airflow-{TARGET}-Task", "airflow-prod-2-10-Task"):
        clients.logs("eu-west-1").create_log_group(logGroupName=group)
    return migration


def assert_nothing_is_left(mwaa: Environments) -> None:
    assert list(mwaa.all) == ["prod-2-10"]
    assert keys() == ["dags/user.py", "prod-3/dags/user.py"]
    assert keys("exchange", "locks/") == []
    groups = clients.logs("eu-west-1").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["airflow-prod-2-10-Task"]


def test_one_is_swept_until_nothing_is_left(mwaa: Environments, rehearsal: Plan, call: Handler) -> None:
    first = call(sweep, migrationId=rehearsal["id"], waitedSeconds=0)
    assert first == {"ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    assert mwaa.all[TARGET]["Status"] == "DELETING"
    assert keys() == ["dags/user.py", f"{TARGET}/dags/user.py", "prod-3/dags/user.py"]
    del mwaa.all[TARGET]
    assert call(sweep, migrationId=rehearsal["id"], waitedSeconds=60) == DONE
    assert_nothing_is_left(mwaa)
    kms = clients.kms()
    assert [grant for key in kms.list_keys()["Keys"] for grant in kms.list_grants(KeyId=key["KeyId"])["Grants"]] == []
    assert call(sweep, migrationId=rehearsal["id"], waitedSeconds=60) == DONE


def test_an_upgrade_that_was_aborted_is_waited_for(mwaa: Environments, rehearsal: Plan, call: Handler) -> None:
    """It takes two hours, its roll back as long again, and the environment cannot be deleted before."""
    event = {"migrationId": rehearsal["id"]}
    for status, waited in (("UPDATING", 0), ("UPDATING", 7200), ("ROLLING_BACK", 7260), ("ROLLING_BACK", 14400)):
        mwaa.all[TARGET]["Status"] = status
        assert not call(sweep, **event, waitedSeconds=waited)["ready"]
        assert "DeleteEnvironment" not in mwaa.calls
    mwaa.all[TARGET]["Status"] = "UPDATE_FAILED"
    assert not call(sweep, **event, waitedSeconds=14460)["ready"]
    assert mwaa.all[TARGET]["Status"] == "DELETING"
    with pytest.raises(errors.CleanUpTimedOut, match="After 18000 s"):
        call(sweep, **event, waitedSeconds=18000)


def test_an_execution_that_still_runs_is_waited_for(
    mwaa: Environments, rehearsal: Plan, call: Handler, executions: Executions
) -> None:
    executions.running = {EXECUTION}
    before = list(mwaa.calls)
    assert not call(sweep, migrationId=rehearsal["id"], waitedSeconds=0)["ready"]
    assert call(sweep, olderThanHours=0) == {"swept": [], "waiting": [rehearsal["id"]]}
    assert "DeleteEnvironment" not in mwaa.calls[len(before) :]
    assert "dags/mwaa_migrator_export.py" in keys()
    with pytest.raises(errors.CleanUpTimedOut, match=rehearsal["id"]):
        call(sweep, migrationId=rehearsal["id"], waitedSeconds=18000)


def test_of_a_rehearsal_that_was_refused_nothing_is_left(mwaa: Environments, call: Handler) -> None:
    assert call(sweep, migrationId="never-planned", waitedSeconds=0)["ready"]
    assert mwaa.calls == []


def test_a_source_that_another_has_taken_over_is_left_alone(
    mwaa: Environments, rehearsal: Plan, call: Handler, executions: Executions
) -> None:
    executions.running = {OTHER}
    Locks(clients.s3(), "exchange").acquire([SOURCE], "other", OTHER, clients.states(), break_lock=False)
    call(sweep, migrationId=rehearsal["id"], waitedSeconds=60)
    del mwaa.all[TARGET]
    assert call(sweep, migrationId=rehearsal["id"], waitedSeconds=60)["ready"]
    assert keys() == ["dags/mwaa_migrator_export.py", "dags/user.py", "prod-3/dags/user.py"]
    assert keys("exchange", "locks/") == ["locks/eu-west-1/prod-2-10.json"]


def test_all_are_swept_from_one_time_to_the_next(mwaa: Environments, rehearsal: Plan, call: Handler) -> None:
    assert call(sweep, olderThanHours=1) == {"swept": [], "waiting": []}
    assert call(sweep, olderThanHours=0) == {"swept": [], "waiting": [rehearsal["id"]]}
    del mwaa.all[TARGET]
    assert call(sweep, olderThanHours=0) == {"swept": [rehearsal["id"]], "waiting": []}
    assert_nothing_is_left(mwaa)


def test_a_target_without_a_lock_is_found_by_its_tags(mwaa: Environments, rehearsal: Plan, call: Handler) -> None:
    for key in keys("exchange", "locks/"):
        clients.s3().delete_object(Bucket="exchange", Key=key)
    mwaa.all[TARGET]["CreatedAt"] = NOW - timedelta(hours=3)
    assert call(sweep, olderThanHours=4) == {"swept": [], "waiting": []}
    assert call(sweep, olderThanHours=2) == {"swept": [], "waiting": [rehearsal["id"]]}
    assert mwaa.all[TARGET]["Status"] == "DELETING"
    # Who worked on the source last is not known, so nothing is done there.
    assert "dags/mwaa_migrator_export.py" in keys()


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"mwaa-migrator:throw-away": "true"},
        {"mwaa-migrator:migration": "of-another-stack", "mwaa-migrator:throw-away": "true"},
        {"mwaa-migrator:migration": "{id}"},
        {"mwaa-migrator:migration": "{id}", "mwaa-migrator:throw-away": "false"},
    ],
)
def test_somebody_elses_environment_is_not_touched(
    mwaa: Environments, rehearsal: Plan, call: Handler, tags: dict[str, str]
) -> None:
    filled = {key: value.format(id=rehearsal["id"]) for key, value in tags.items()}
    mwaa.all[TARGET]["Tags"] = filled
    for hours in (0, 0):
        call(sweep, olderThanHours=hours)
    assert "DeleteEnvironment" not in mwaa.calls
    assert f"{TARGET}/dags/user.py" in keys()


@pytest.mark.usefixtures("commands")
def test_a_migrations_target_is_not_touched(mwaa: Environments, planned: Plan, call: Handler) -> None:
    mwaa.all["prod-3"] = environment(planned) | {"Name": "prod-3"}
    assert call(sweep, olderThanHours=0) == {"swept": [], "waiting": []}
    assert call(sweep, migrationId=planned["id"], waitedSeconds=0)["ready"]
    assert mwaa.all["prod-3"]["Status"] == "AVAILABLE"
    assert len(keys("exchange", "locks/")) == 2


def test_what_is_wrong_with_one_keeps_no_other_from_being_swept(
    mwaa: Environments, rehearsal: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, executions: Executions
) -> None:
    target = {"environment": "another-rehearsal-0123456789", "airflowVersion": "3.2.1"}
    mwaa.all["dev"] = mwaa.all["prod-2-10"] | {"Name": "dev"}
    other = call(
        plan, executionArn=OTHER, input=document(mode="rehearse", source={"environment": "dev"}, target=target)
    )
    delete = mwaa.delete_environment

    def refused(Name: str) -> dict[str, Any]:  # noqa: N803
        raise mwaa.error("DeleteEnvironment", "AccessDeniedException")

    monkeypatch.setattr(mwaa, "delete_environment", refused)
    with pytest.raises(errors.SweepIncomplete, match=rf"left of {rehearsal['id']};"):
        call(sweep, olderThanHours=0)
    assert keys("exchange", "locks/eu-west-1/another") == keys("exchange", "locks/eu-west-1/dev") == []
    assert other["id"] != rehearsal["id"]
    monkeypatch.setattr(mwaa, "delete_environment", delete)
    assert call(sweep, olderThanHours=0)["waiting"] == [rehearsal["id"]]


def test_a_target_of_somebodys_name_keeps_its_log_groups(mwaa: Environments, call: Handler) -> None:
    migration = call(plan, input=document(mode="rehearse"))
    clients.logs("eu-west-1").create_log_group(logGroupName="airflow-prod-3-Task")
    Locks(clients.s3(), "exchange").release([SOURCE], EXECUTION)
    assert call(sweep, migrationId=migration["id"], waitedSeconds=0)["ready"]
    with pytest.raises(ClientError, match="AlreadyExists"):
        clients.logs("eu-west-1").create_log_group(logGroupName="airflow-prod-3-Task")
