"""GrantAccess and CleanUp: access to the artifact, and what is left once it is taken back."""

from __future__ import annotations

import json
import os

import pytest

import clean_up
import grant_access
from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.cleanup import cleaning
from migration.exchange import grants
from tests.unit.functions.conftest import ROLE, Commands, Environments, Handler
from tests.unit.functions.objects import Plan, keys, put


def policy() -> list[Plan]:
    statements: list[Plan] = json.loads(clients.s3().get_bucket_policy(Bucket="exchange")["Policy"])["Statement"]
    return statements


@pytest.mark.usefixtures("commands")
def test_access_is_granted_and_taken_back(planned: Plan, call: Handler) -> None:
    # moto knows no conditions, so it denies something that nobody asks for.
    tls_only = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}
    clients.s3().put_bucket_policy(
        Bucket="exchange", Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})
    )
    for _ in range(2):
        assert call(grant_access, migration=planned) == {"roles": [ROLE]}
    assert [item["Sid"][:13] for item in policy()] == ["TlsOnly", "MigrationObje", "MigrationList"]
    assert policy()[1]["Resource"] == f"arn:aws:s3:::exchange/artifacts/{planned['id']}/*"
    granted = clients.kms().list_grants(KeyId=os.environ["KEY_ARN"])["Grants"]
    assert {(item["GranteePrincipal"], item["Name"]) for item in granted} == {(ROLE, f"mwaa-migrator-{planned['id']}")}

    for waited in (0, 60, 60):
        call(clean_up, migration=planned, failed=False, waitedSeconds=waited)
    assert policy() == [tls_only]
    assert clients.kms().list_grants(KeyId=os.environ["KEY_ARN"])["Grants"] == []


@pytest.mark.parametrize(
    ("mode", "on_failure", "failed", "deleted"),
    [
        ("migrate", "keep", False, False),
        ("migrate", "keep", True, False),
        ("migrate", "delete", False, False),
        ("migrate", "delete", True, True),
        ("rehearse", "keep", False, True),
        ("rehearse", "keep", True, True),
    ],
)
def test_what_is_deleted(planned: Plan, mode: str, on_failure: str, failed: bool, deleted: bool) -> None:
    options = planned["options"] | {"targetOnFailure": on_failure}
    assert cleaning.deletes_target({**planned, "mode": mode, "options": options}, failed) is deleted  # type: ignore[typeddict-item]


def test_a_role_that_was_deleted_blocks_no_other_migration() -> None:
    """S3 shows a deleted role of a policy by its id, and takes no policy back with one."""
    s3 = clients.s3()
    dead = grants.statements("aws", "exchange", ["artifacts/old"], "old", ["AROAEXAMPLEID"])
    foreign = {**dead[0], "Sid": "Somebody"}
    s3.put_bucket_policy(Bucket="exchange", Policy=json.dumps({"Version": "2012-10-17", "Statement": [*dead, foreign]}))
    key = os.environ["KEY_ARN"]
    grants.grant(
        s3, clients.kms(), "exchange", key, ["artifacts/new"], "new", ["arn:aws:iam::123456789012:role/airflow"]
    )
    policy = json.loads(s3.get_bucket_policy(Bucket="exchange")["Policy"])
    assert {item["Sid"] for item in policy["Statement"]} == {"Somebody", *grants.statement_ids("new")}


@pytest.mark.usefixtures("commands")
def test_a_throw_away_target_is_waited_for(mwaa: Environments, planned: Plan, call: Handler) -> None:
    rehearsal = planned | {"mode": "rehearse"}
    tags = {"mwaa-migrator:migration": planned["id"], "mwaa-migrator:throw-away": "true"}
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "CREATING", "Tags": tags}
    put("prod-3/dags/user.py")
    put("prod-30/dags/user.py")
    first = call(clean_up, migration=rehearsal, failed=True, waitedSeconds=0)
    assert first == {"ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    assert "DeleteEnvironment" not in mwaa.calls
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    assert not call(clean_up, migration=rehearsal, failed=True, waitedSeconds=120)["ready"]
    assert mwaa.all["prod-3"]["Status"] == "DELETING"
    with pytest.raises(errors.CleanUpTimedOut, match="prod-3 has not been deleted"):
        call(clean_up, migration=rehearsal, failed=True, waitedSeconds=18000)
    del mwaa.all["prod-3"]
    assert call(clean_up, migration=rehearsal, failed=True, waitedSeconds=240)["ready"]
    assert keys() == ["prod-30/dags/user.py"]


@pytest.mark.usefixtures("commands")
def test_somebody_elses_environment_is_not_deleted(mwaa: Environments, planned: Plan, call: Handler) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "Tags": {"mwaa-migrator:migration": "other"}}
    assert call(clean_up, migration=planned | {"mode": "rehearse"}, failed=True, waitedSeconds=60)["ready"]
    assert "DeleteEnvironment" not in mwaa.calls


def test_rows_of_our_dags_are_deleted_until_no_environment_knows_one(
    mwaa: Environments, planned: Plan, commands: Commands, call: Handler
) -> None:
    mwaa.all["prod-3"] = mwaa.all["prod-2-10"] | {"Name": "prod-3", "AirflowVersion": "3.2.1"}

    def clean(waited: int) -> bool:
        return bool(call(clean_up, migration=planned, failed=False, waitedSeconds=waited)["ready"])

    assert not clean(0), "the schedulers had no time to see that the files are gone"
    assert commands.given == []
    commands.answers["dags", "state"] = Answer(True, "running", "")
    assert not clean(60)
    deleted = [command[-1] for command in commands.given if command[:2] == ("dags", "delete")]
    assert deleted == [*our_dags.DAGS] * 2
    commands.answers["dags", "state"] = Answer(True, "", "")
    assert clean(120)


def test_a_web_server_that_does_not_answer_fails_no_migration(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*command: str) -> Answer:
        raise errors.CliUnreachable("no connection")

    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(silent, version))
    assert not call(clean_up, migration=planned, failed=False, waitedSeconds=1860)["ready"]
    assert call(clean_up, migration=planned, failed=False, waitedSeconds=1920)["ready"]


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(("artifact", "left"), [("keep", 3), ("delete", 2)])
def test_exported_tables_are_kept_or_deleted_as_asked(planned: Plan, call: Handler, artifact: str, left: int) -> None:
    prefix = f"artifacts/{planned['id']}"
    for name in ("manifest.json", "quiesce.json", "tables/xcom/0000-0.copy.gz"):
        put(f"{prefix}/{name}", bucket="exchange")
    migration = planned | {"options": planned["options"] | {"artifact": artifact}}
    assert call(clean_up, migration=migration, failed=False, waitedSeconds=60)["ready"]
    assert len(keys(prefix, bucket="exchange")) == left
