"""Each function as Step Functions calls it, with moto's AWS."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from jsonschema import Draft202012Validator
from moto.sns.models import sns_backends

import check_dag_run
import check_parsed
import clean_up
import create_environment
import cut_over
import fall_back
import give_dag_versions
import grant_access
import plan
import poll_environment
import report
import roll_back
import stage_dags
import stage_roll_back
import stage_settings
import trigger_dag_run
import update_environment
import verify
from local.installations.folders import ROOT
from migration import errors, waiting
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.checks import check_results
from migration.checks.check_results import Check
from migration.cleanup import cleaning
from migration.environments import dag_folder, environment, plugins_archive
from migration.exchange import grants
from migration.exchange.store import Store, of_artifact, of_attempt, of_migration
from migration.report import contents, price
from tests.unit.functions.conftest import REGION, ROLE, Commands, Environments, Handler, document

Plan = dict[str, Any]
SCHEMA = Path(contents.__file__).with_name("report.schema.json")


def put(key: str, body: str = "x", bucket: str = "dags") -> str:
    return clients.s3().put_object(Bucket=bucket, Key=key, Body=body.encode()).get("VersionId", "")


def keys(prefix: str = "", bucket: str = "dags") -> list[str]:
    found = clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def leave(migration: Plan, dag: str, name: str, status: str = "done", **content: Any) -> None:
    """Leaves a result as the engine does."""
    result = {"command": name, "status": status, "run_id": runs.run_id(migration, dag), "seconds": 1.0, "error": None}  # type: ignore[arg-type]
    of_artifact(clients.s3(), migration).write(f"{name}.json", {**result, **content})  # type: ignore[arg-type]


# Plan


def test_plan(planned: Plan) -> None:
    identity = planned["id"]
    assert planned["path"] == ["2.10.3", "2.11.2", "3.2.1"]
    assert (planned["importVersion"], planned["hops"]) == ("2.11.2", ["3.2.1"])
    assert planned["artifact"] == f"s3://exchange/artifacts/{identity}"
    assert planned["source"] == {
        "environment": "prod-2-10",
        "region": "eu-west-1",
        "airflowVersion": "2.10.3",
        "executionRoleArn": ROLE,
        "bucket": "dags",
        "dagsPath": "dags",
    }
    assert planned["target"]["dagsPath"] == "prod-3/dags"
    assert len(json.dumps(planned)) < 4096


def test_a_plan_goes_directly_where_the_target_takes_the_source(mwaa: Environments, call: Handler) -> None:
    direct = call(plan, input=document(options={"path": "auto"}))
    assert (direct["path"], direct["importVersion"]) == (["2.10.3", "3.2.1"], "3.2.1")
    assert (direct["hops"], direct["direct"]) == ([], True)
    mwaa.all["prod-2-10"]["AirflowVersion"] = "2.5.1"
    older = call(plan, input=document(options={"path": "auto"}, migrationId="older"))
    assert (older["path"], older["direct"]) == (["2.5.1", "2.11.2", "3.2.1"], False)


def test_the_plan_names_what_the_sdk_could_not_read(
    mwaa: Environments, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "unread_fields", lambda client, name: [f"{name}.NewField"])
    (note,) = call(plan, input=document())["notes"]
    assert note.startswith("The source has prod-2-10.NewField, which this AWS SDK (1.")
    assert note.endswith("set it in the target by hand, or update the SDK.")


def test_the_same_input_goes_on(planned: Plan, mwaa: Environments, call: Handler) -> None:
    of_attempt(clients.s3(), planned).end_phase("verify")  # type: ignore[arg-type]
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    again = call(plan, input=document(options={"pollSeconds": 5}))
    assert again["finished"] == ["plan", "verify"]
    assert again["options"]["pollSeconds"] == 5
    assert again == {**planned, "finished": again["finished"], "options": again["options"]}


def test_after_a_roll_back_the_same_input_is_a_new_attempt(planned: Plan, call: Handler) -> None:
    of_attempt(clients.s3(), planned).write("rolled_back.json", {})  # type: ignore[arg-type]
    again = call(plan, input=document())
    assert (again["id"], again["attempt"], again["artifactId"]) == (planned["id"], 2, f"{planned['id']}-2")
    assert again["finished"] == []


def test_another_input_under_the_same_id_is_refused(mwaa: Environments, call: Handler) -> None:
    call(plan, input=document(migrationId="sunday"))
    with pytest.raises(errors.InputChanged, match="sunday was planned with another input"):
        call(plan, input=document(migrationId="sunday", options={"xcoms": False}))


def test_an_invalid_input_is_refused_with_every_fault(call: Handler) -> None:
    with pytest.raises(errors.InvalidInput, match=r"MissingField at target: .*; UnknownField at options\.pol: "):
        call(plan, input={"source": {"environment": "a"}, "options": {"pol": 1}})


def test_a_target_in_another_region_needs_what_is_regional(mwaa: Environments, call: Handler) -> None:
    target = {"environment": "prod-3", "airflowVersion": "3.2.1", "region": "eu-central-1"}
    with pytest.raises(errors.PreconditionsFailed, match=r"(?s)NetworkConfiguration.*SourceBucketArn"):
        call(plan, input=document(target=target))


def test_several_preconditions_are_told_together(mwaa: Environments, call: Handler) -> None:
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    target = {"environment": "prod-3", "airflowVersion": "2.9.2", "overrides": {"Nope": 1}}
    with pytest.raises(errors.PreconditionsFailed, match=r"SourceNotAvailable.*Downgrade.*UnknownOverride"):
        call(plan, input=document(target=target))


# GrantAccess and CleanUp


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
    dead = grants.statements("aws", "exchange", "artifacts/old", "old", ["AROAEXAMPLEID"])
    foreign = {**dead[0], "Sid": "Somebody"}
    s3.put_bucket_policy(Bucket="exchange", Policy=json.dumps({"Version": "2012-10-17", "Statement": [*dead, foreign]}))
    key = os.environ["KEY_ARN"]
    grants.grant(s3, clients.kms(), "exchange", key, "artifacts/new", "new", ["arn:aws:iam::123456789012:role/airflow"])
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


# StageDags, StageSettings and StageRollBack


@pytest.fixture
def our_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mwaa_migrator").mkdir()
    for name in ("mwaa_migrator_export.py", "mwaa_migrator/__init__.py", "other.py", "mwaa_migrator/notes.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(dag_folder, "DAGS", tmp_path)


OURS = ["mwaa_migrator/__init__.py", "mwaa_migrator_export.py"]


@pytest.mark.usefixtures("our_files")
def test_dags_are_copied_and_ours_put_into_both_folders(planned: Plan, call: Handler) -> None:
    put("dags/a.py", "old")
    put("dags/a.py", "new")
    put("dags/pkg/b c.py")
    put("dags/gone.py")
    clients.s3().delete_object(Bucket="dags", Key="dags/gone.py")
    put("dags2/not_ours.py")
    for _ in range(2):
        assert call(stage_dags, migration=planned) == {"objects": 2, "ours": 2}
    assert keys("prod-3/dags/") == [f"prod-3/dags/{name}" for name in ("a.py", *OURS, "pkg/b c.py")]
    assert keys("dags/") == [f"dags/{name}" for name in ("a.py", *OURS, "pkg/b c.py")]
    assert clients.s3().get_object(Bucket="dags", Key="prod-3/dags/a.py")["Body"].read() == b"new"
    # A file that was deleted because it is broken would stay broken in a target that was kept; what others have put
    # there is theirs.
    clients.s3().delete_object(Bucket="dags", Key="dags/pkg/b c.py")
    put("prod-3/dags/theirs.py")
    assert call(stage_dags, migration=next_attempt(planned, call)) == {"objects": 1, "ours": 2}
    assert keys("prod-3/dags/") == [f"prod-3/dags/{name}" for name in ("a.py", *OURS, "theirs.py")]
    # The second time nothing of the user's was copied again.
    versions = clients.s3().list_object_versions(Bucket="dags", Prefix="prod-3/dags/a.py")["Versions"]
    assert len(versions) == 1


@pytest.mark.usefixtures("our_files")
def test_to_roll_back_ours_are_put_into_the_source_alone(planned: Plan, call: Handler) -> None:
    put("dags/a.py")
    assert call(stage_roll_back, migration=planned) == {"ours": 2}
    assert keys() == [f"dags/{name}" for name in ("a.py", *OURS)]


def test_settings_are_pinned_and_fitted(mwaa: Environments, planned: Plan, call: Handler) -> None:
    put("requirements.txt", "pandas\n")
    mwaa.all["prod-2-10"]["RequirementsS3ObjectVersion"] = put("requirements.txt", "polars\n")
    put("requirements.txt", "later\n")
    put("plugins.zip", "zip")
    mwaa.all["prod-2-10"] |= {"PluginsS3Path": "plugins.zip"}
    files = call(stage_settings, migration=planned, airflowVersion="2.11.2")["files"]
    key, version = files["requirements"]
    body = clients.s3().get_object(Bucket="dags", Key=key, VersionId=version)["Body"].read().decode()
    assert body.splitlines()[0].endswith('constraints-2.11.2/constraints-3.12.txt"')
    assert body.splitlines()[1:] == ["polars"]
    assert files["plugins"][0] == "prod-3/2.11.2/plugins.zip"
    assert files["startup_script"] is None
    again = call(stage_settings, migration=planned, airflowVersion="2.11.2")["files"]
    assert json.loads(json.dumps(files)) == again


def zipped(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, "")
    return made.getvalue()


def archive_of(files: dict[str, Any]) -> set[str]:
    key, version = files["plugins"]
    body = clients.s3().get_object(Bucket="dags", Key=key, VersionId=version)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert json.loads(archive.read("mwaa_migrator_plugin.json")) == {"artifacts": "s3://exchange/artifacts/"}
        return set(archive.namelist())


@pytest.fixture
def direct(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A migration directly to 3.2.1, whose target may get the plugin."""
    monkeypatch.setattr(dag_folder, "DAGS", ROOT / "dags")
    put("requirements.txt", "")
    return planned | {"path": ["2.10.3", "3.2.1"], "importVersion": "3.2.1", "hops": [], "wayIn": "auto"}


OUR_PLUGIN = {"mwaa_migrator_plugin.py", "mwaa_migrator_plugin.json", "mwaa_migrator_engine.zip"}


@pytest.mark.parametrize("way_in", ["auto", "plugin"])
def test_a_target_at_airflow_3_gets_our_plugin(mwaa: Environments, direct: Plan, call: Handler, way_in: str) -> None:
    staged = call(stage_settings, migration=direct | {"wayIn": way_in}, airflowVersion="3.2.1")["files"]
    assert archive_of(staged) == OUR_PLUGIN
    assert staged["plugins"][0] == "prod-3/3.2.1/plugins.zip"


def test_our_plugin_comes_beside_the_users(mwaa: Environments, direct: Plan, call: Handler) -> None:
    clients.s3().put_object(Bucket="dags", Key="lib/plugins-7.zip", Body=zipped("operators.py"))
    mwaa.all["prod-2-10"] |= {"PluginsS3Path": "lib/plugins-7.zip"}
    staged = call(stage_settings, migration=direct, airflowVersion="3.2.1")["files"]
    assert archive_of(staged) == {"operators.py"} | OUR_PLUGIN
    assert staged["plugins"][0] == "prod-3/3.2.1/plugins-7.zip"


def test_without_a_need_the_plugins_are_copied(mwaa: Environments, direct: Plan, call: Handler) -> None:
    put("plugins.zip", "as it is")
    mwaa.all["prod-2-10"] |= {"PluginsS3Path": "plugins.zip"}
    key, _ = call(stage_settings, migration=direct | {"wayIn": "worker"}, airflowVersion="3.2.1")["files"]["plugins"]
    assert clients.s3().get_object(Bucket="dags", Key=key)["Body"].read() == b"as it is"


@pytest.mark.parametrize("largest", [3, 200])
def test_plugins_that_ours_cannot_be_added_to(
    mwaa: Environments, direct: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    """Too large, or no archive. As a second way it can be done without."""
    monkeypatch.setattr(plugins_archive, "LARGEST", largest)
    put("plugins.zip", "no archive")
    mwaa.all["prod-2-10"] |= {"PluginsS3Path": "plugins.zip"}
    with pytest.raises(errors.PluginsUnfit, match=r"or start again with worker as options\.wayIn\."):
        call(stage_settings, migration=direct | {"wayIn": "plugin"}, airflowVersion="3.2.1")
    key, _ = call(stage_settings, migration=direct, airflowVersion="3.2.1")["files"]["plugins"]
    assert clients.s3().get_object(Bucket="dags", Key=key)["Body"].read() == b"no archive"


def test_a_file_for_the_final_version_waits_for_the_hop(planned: Plan, call: Handler) -> None:
    put("requirements.txt", "pandas\n")
    with_own = planned | {"overrides": {"RequirementsS3Path": "three.txt"}}
    assert call(stage_settings, migration=with_own, airflowVersion="2.11.2")["files"]["requirements"] is not None
    assert call(stage_settings, migration=with_own, airflowVersion="3.2.1")["files"]["requirements"] is None


def test_requirements_become_utf_8(planned: Plan, call: Handler) -> None:
    clients.s3().put_object(Bucket="dags", Key="requirements.txt", Body="pandas  # caf\xe9\n".encode("utf-16"))
    key, _ = call(stage_settings, migration=planned, airflowVersion="2.11.2")["files"]["requirements"]
    assert clients.s3().get_object(Bucket="dags", Key=key)["Body"].read().decode().endswith("pandas  # caf\xe9\n")


def test_a_file_that_is_gone_is_named(planned: Plan, call: Handler) -> None:
    with pytest.raises(errors.ResourceMissing, match=r"s3://dags/requirements\.txt, version latest"):
        call(stage_settings, migration=planned, airflowVersion="2.11.2")


@pytest.mark.usefixtures("our_files")
def test_before_a_hop_to_3_our_dags_leave_the_target(planned: Plan, call: Handler) -> None:
    put("requirements.txt", "")
    put("dags/a.py")
    call(stage_dags, migration=planned)
    call(stage_settings, migration=planned, airflowVersion="3.2.1")
    assert keys("prod-3/dags/") == ["prod-3/dags/a.py"]
    assert len(keys("dags/")) == 3


# FallBack

CAUSE = json.dumps({"errorMessage": "No way leads from this worker to the metadata database.", "errorType": "X"})


@pytest.fixture
def kept_out(mwaa: Environments, call: Handler) -> Plan:
    """The plan of a direct migration whose target has been created."""
    planned = call(plan, input=document(options={"path": "auto"}))
    tags = {"mwaa-migrator:migration": planned["id"]}
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1", "Tags": tags}
    return planned


def test_a_fall_back_deletes_the_target_and_plans_the_path_through_2_11(
    mwaa: Environments, kept_out: Plan, call: Handler
) -> None:
    first = call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=0)
    assert (first["ready"], mwaa.all["prod-3"]["Status"]) == (False, "DELETING")
    del mwaa.all["prod-3"]
    planned = call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=first["waitedSeconds"])["migration"]
    assert (planned["path"], planned["importVersion"], planned["hops"], planned["direct"]) == (
        ["2.10.3", "2.11.2", "3.2.1"],
        "2.11.2",
        ["3.2.1"],
        False,
    )
    assert planned["notes"][-1].startswith("The target was created at Airflow 3.2.1, and again at 2.11.2")
    # The target that is made now has no plugin, and needs none.
    assert (planned["wayIn"], [note for note in planned["notes"] if "plugin" in note]) == ("worker", [])
    (check,) = check_results.read(of_attempt(clients.s3(), planned))
    assert (check["result"], "No way leads from this worker" in check["message"]) == ("warn", True)
    # Another execution of the same input goes on from there.
    assert call(plan, input=document(options={"path": "auto"}))["path"] == planned["path"]


def test_a_fall_back_deletes_nothing_where_2_11_does_not_take_the_source(
    mwaa: Environments, kept_out: Plan, call: Handler
) -> None:
    kept_out["source"]["airflowVersion"] = "2.11.3"
    with pytest.raises(errors.ImportVersionUnfit, match=r"2\.11\.2 cannot take the source's 2\.11\.3, and .*No way"):
        call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=0)
    assert mwaa.all["prod-3"]["Status"] == "AVAILABLE"


# CreateEnvironment, PollEnvironment, UpdateEnvironment


FILES = {"dags": "prod-3/dags", "requirements": ["prod-3/2.11.2/requirements.txt", "v1"], "plugins": None}


def test_the_target_is_made_once(mwaa: Environments, planned: Plan, call: Handler) -> None:
    assert call(create_environment, phase="create target", migration=planned, files=FILES) == {
        "environment": "prod-3",
        "created": True,
    }
    made = mwaa.all["prod-3"]
    assert (made["AirflowVersion"], made["RequirementsS3ObjectVersion"]) == ("2.11.2", "v1")
    assert made["Tags"] == {"mwaa-migrator:migration": planned["id"]}
    assert call(create_environment, phase="create target", migration=planned, files=FILES) == {
        "environment": "prod-3",
        "created": False,
    }


def next_attempt(planned: Plan, call: Handler) -> Plan:
    """The same input again, after a roll back that kept the target."""
    of_attempt(clients.s3(), planned).write("rolled_back.json", {})  # type: ignore[arg-type]
    again = call(plan, input=document())
    assert again["attempt"] == planned["attempt"] + 1
    return again


def test_what_was_mended_in_the_source_is_mended_in_a_target_that_was_kept(
    mwaa: Environments, planned: Plan, call: Handler
) -> None:
    mwaa.all["prod-2-10"]["RequirementsS3ObjectVersion"] = put("requirements.txt", "no-such-package\n")
    mwaa.all["prod-2-10"] |= {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": put("plugins.zip")}

    def create(migration: Plan) -> Plan:
        files = call(stage_settings, migration=migration, airflowVersion="2.11.2")["files"]
        call(create_environment, phase="create target", migration=migration, files=files)
        return mwaa.all["prod-3"]

    def since(migration: Plan) -> str:
        found: str = of_migration(clients.s3(), migration).read("target.json")["since"]  # type: ignore[arg-type]
        return found

    first = dict(create(planned))
    begun = since(planned)
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    # Nothing was mended: it takes no update, which would be half an hour.
    second = next_attempt(planned, call)
    assert create(second)["Status"] == "AVAILABLE"
    assert "UpdateEnvironment" not in mwaa.calls
    # Its logs of the first attempt still tell about it.
    assert since(second) == begun
    mwaa.all["prod-2-10"]["RequirementsS3ObjectVersion"] = put("requirements.txt", "pandas\n")
    third = next_attempt(second, call)
    assert create(third | {"finished": ["export"]})["Status"] == "AVAILABLE"
    assert create(third)["Status"] == "UPDATING"
    assert mwaa.updates[-1].keys() == {"Name", "RequirementsS3Path", "RequirementsS3ObjectVersion"}
    assert mwaa.updates[-1]["RequirementsS3ObjectVersion"] != first["RequirementsS3ObjectVersion"]
    assert since(third) > begun
    # A second try of the state finds the update under way.
    create(third)
    assert len(mwaa.updates) == 1


@pytest.mark.parametrize(
    ("found", "updates"),
    [
        ({"Status": "AVAILABLE"}, 1),
        # An update that failed was put back, and may be tried again.
        ({"Status": "UPDATE_FAILED"}, 1),
        ({"Status": "CREATING"}, 0),
        ({"Status": "AVAILABLE", "Tags": {}}, None),
    ],
)
def test_which_targets_take_new_settings(
    mwaa: Environments, planned: Plan, call: Handler, found: Plan, updates: int | None
) -> None:
    call(create_environment, phase="create target", migration=planned, files=FILES)
    mwaa.all["prod-3"] |= found
    mwaa.all["prod-2-10"]["AirflowConfigurationOptions"] = {"core.parallelism": "9"}
    event = {"phase": "create target", "migration": planned, "files": FILES}
    if updates is None:
        with pytest.raises(errors.CreateEnvironmentRefused):
            call(create_environment, **event)
        return
    assert call(create_environment, **event) == {"environment": "prod-3", "created": False}
    assert len(mwaa.updates) == updates
    assert all(update["AirflowConfigurationOptions"]["core.parallelism"] == "9" for update in mwaa.updates)


@pytest.mark.parametrize("version", ["3.2.1", "2.11.0"])
def test_a_kept_target_at_another_version_takes_no_import(
    mwaa: Environments, planned: Plan, call: Handler, version: str
) -> None:
    event = {"phase": "create target", "migration": planned, "files": FILES}
    call(create_environment, **event)
    mwaa.all["prod-3"] |= {"Status": "AVAILABLE", "AirflowVersion": version}
    mwaa.all["prod-2-10"]["AirflowConfigurationOptions"] = {"core.parallelism": "9"}
    told = f"prod-3 is left from this migration and runs Airflow {version}; the import is for 2.11.2. Delete it"
    with pytest.raises(errors.TargetUnfit, match=told):
        call(create_environment, **event)
    # An attempt that goes on after the hop has its rows there.
    goes_on = event | {"migration": planned | {"finished": ["export", "import"]}}
    assert call(create_environment, **goes_on) == {"environment": "prod-3", "created": False}
    assert mwaa.updates == []


def test_a_file_that_the_source_has_no_more_is_taken_from_a_kept_target(
    mwaa: Environments, planned: Plan, call: Handler
) -> None:
    """As after an attempt whose requirements could not be installed."""
    call(create_environment, phase="create target", migration=planned, files=FILES)
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    assert mwaa.all["prod-3"]["RequirementsS3Path"]
    without = FILES | {"requirements": None}
    call(create_environment, phase="create target", migration=planned, files=without)
    assert mwaa.updates == [{"Name": "prod-3", "RequirementsS3Path": "", "RequirementsS3ObjectVersion": ""}]


def test_a_refused_update_of_a_kept_target_says_why(
    mwaa: Environments, planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(create_environment, phase="create target", migration=planned, files=FILES)
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"

    def refuse(**request: Any) -> None:
        raise mwaa.error("UpdateEnvironment", "ValidationException")

    monkeypatch.setattr(mwaa, "update_environment", refuse)
    newer = FILES | {"requirements": ["prod-3/2.11.2/requirements.txt", "v2"]}
    with pytest.raises(errors.UpdateEnvironmentRefused, match=r"new in the source \(RequirementsS3ObjectVersion, "):
        call(create_environment, phase="create target", migration=planned, files=newer)


def test_a_rehearsals_target_is_marked(mwaa: Environments, planned: Plan, call: Handler) -> None:
    call(create_environment, phase="create target", migration=planned | {"mode": "rehearse"}, files=FILES)
    assert mwaa.all["prod-3"]["Tags"]["mwaa-migrator:throw-away"] == "true"


def test_a_refused_target_says_why(mwaa: Environments, planned: Plan, call: Handler) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "Tags": {}}
    with pytest.raises(errors.CreateEnvironmentRefused, match="prod-3: Amazon MWAA refused CreateEnvironment: no"):
        call(create_environment, phase="create target", migration=planned, files=FILES)


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailableException", "InternalServerException"])
def test_a_fault_that_passes_is_named_so(
    mwaa: Environments, planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(**request: Any) -> None:
        raise mwaa.error("CreateEnvironment", code)

    monkeypatch.setattr(mwaa, "create_environment", refuse)
    with pytest.raises(errors.TransientError, match=f"CreateEnvironment: {code}"):
        call(create_environment, phase="create target", migration=planned, files=FILES)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({"Status": "CREATING"}, "CREATING"),
        ({"Status": "PENDING"}, "PENDING"),
        ({"Status": "MAINTENANCE"}, "MAINTENANCE"),
        ({"Status": "CREATING_SNAPSHOT"}, "CREATING_SNAPSHOT"),
        ({"Status": "ROLLING_BACK"}, "ROLLING_BACK"),
        ({"Status": "AVAILABLE", "AirflowVersion": "3.2.1"}, "AVAILABLE"),
        ({"Status": "AVAILABLE", "AirflowVersion": "2.11.2", "LastUpdate": {"Status": "PENDING"}}, "UPDATING"),
        ({"Status": "AVAILABLE", "AirflowVersion": "3.3.1"}, "AVAILABLE"),
    ],
)
def test_judge(found: Plan, status: str) -> None:
    assert poll_environment.judge(found, "prod-3", "3.2.1") == status


REASON = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "no route"}


@pytest.mark.parametrize(
    ("found", "error", "says"),
    [
        (None, errors.EnvironmentUnavailable, "does not exist"),
        ({"Status": "CREATE_FAILED", "LastUpdate": {"Error": REASON}}, errors.CreateEnvironmentFailed, "no route"),
        ({"Status": "UPDATE_FAILED", "LastUpdate": {"Error": REASON}}, errors.UpdateEnvironmentFailed, "no route"),
        ({"Status": "UNAVAILABLE"}, errors.EnvironmentUnavailable, "gives no reason"),
        ({"Status": "DELETING"}, errors.EnvironmentUnavailable, "DELETING"),
        (
            {
                "Status": "AVAILABLE",
                "AirflowVersion": "2.11.2",
                "LastUpdate": {"Status": "FAILED", "Error": REASON},
            },
            errors.UpdateEnvironmentFailed,
            "stayed at Airflow 2.11.2 instead of 3.2.1 .*no route",
        ),
    ],
)
def test_judge_names_what_went_wrong(found: Plan | None, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        poll_environment.judge(found, "prod-3", "3.2.1")


def test_polling_counts_what_was_waited(mwaa: Environments, planned: Plan, call: Handler) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "CREATING"}
    event = {"migration": planned, "phase": "create target", "airflowVersion": "2.11.2"}
    assert call(poll_environment, **event, waitedSeconds=0) == {
        "status": "CREATING",
        "ready": False,
        "waitSeconds": 120,
        "waitedSeconds": 120,
    }
    with pytest.raises(errors.EnvironmentTimedOut, match="still CREATING after 18000 s"):
        call(poll_environment, **event, waitedSeconds=18000)
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "2.11.2"}
    assert call(poll_environment, **event, waitedSeconds=18000)["ready"]


def test_a_hop_is_asked_for_once(mwaa: Environments, planned: Plan, call: Handler) -> None:
    call(create_environment, phase="create target", migration=planned, files=FILES)
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    event = {"migration": planned, "phase": "hop to 3.2.1", "airflowVersion": "3.2.1", "files": FILES}
    assert call(update_environment, **event) == {"updating": True}
    assert call(update_environment, **event) == {"updating": False}
    mwaa.all["prod-3"] |= {"Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    assert call(update_environment, **event) == {"updating": False}
    assert mwaa.calls.count("UpdateEnvironment") == 1


def test_a_target_in_maintenance_is_not_taken_for_one_that_is_upgraded(
    mwaa: Environments, planned: Plan, call: Handler
) -> None:
    call(create_environment, phase="create target", migration=planned, files=FILES)
    mwaa.all["prod-3"]["Status"] = "MAINTENANCE"
    event = {"migration": planned, "phase": "hop to 3.2.1", "airflowVersion": "3.2.1", "files": FILES}
    with pytest.raises(errors.TargetBusy, match="prod-3 is MAINTENANCE"):
        call(update_environment, **event)
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    assert call(update_environment, **event) == {"updating": True}


# DAG runs


def test_parsing_is_waited_for_in_both_environments(planned: Plan, commands: Commands, call: Handler) -> None:
    commands.answers[("dags", "state", our_dags.EXPORT)] = Answer(True, "None", "")
    commands.answers[("dags", "state", our_dags.RESUME)] = Answer(True, "None", "")
    commands.answers[("dags", "state", our_dags.IMPORT)] = Answer(False, "", "does not exist")
    waiting = call(check_parsed, migration=planned, waitedSeconds=0)
    assert waiting == {
        "missing": ["target: mwaa_migrator_import"],
        "ready": False,
        "waitSeconds": 60,
        "waitedSeconds": 60,
    }
    with pytest.raises(errors.DagsNotParsed, match="target: mwaa_migrator_import"):
        call(check_parsed, migration=planned, waitedSeconds=1800)
    commands.answers[("dags", "state", our_dags.IMPORT)] = Answer(True, "None", "")
    assert call(check_parsed, migration=planned, waitedSeconds=60)["ready"]


def test_a_run_is_triggered_unless_its_result_is_there(planned: Plan, commands: Commands, call: Handler) -> None:
    run = f"mwaa_migrator_export__{planned['id']}"
    event = {"migration": planned, "dag": our_dags.EXPORT}
    assert call(trigger_dag_run, **event) == {"runId": run, "created": True}
    assert [command[:2] for command in commands.given] == [("dags", "unpause"), ("dags", "trigger")]
    leave(planned, our_dags.EXPORT, "export")
    assert call(trigger_dag_run, **event) == {"runId": run, "created": False}
    assert len(commands.given) == 2


FOUND: dict[str, Any] = {
    "airflow_version": "2.10.3",
    "revision": "5f2621c13b39",
    "schema": "public",
    "tables": {"dag_run": {"rows": 3, "bytes": 2_000_000_000}, "xcom": {"rows": 4, "bytes": 0}},
    "set_aside": [],
    "will_change": [],
    "not_examined": [],
    "undecryptable": [],
    "without_parent": [],
    "unfinished": {"dag_runs": 1, "task_instances": 0},
    "estimate": {"export_seconds": 5, "import_seconds": 15, "verify_seconds": 10, "disk_bytes": 4_000_000_000},
    "problems": [],
    "ready": True,
}
REFUSED = {"name": "MigrationWouldFail", "message": "1 row of xcom (d t r1 -1 k), on which 3.0.0 fails."}


def leave_probe(planned: Plan, **content: Any) -> None:
    run = f"mwaa_migrator_probe__{planned['id']}"
    result = {"command": "export", "status": "done", "run_id": run, "error": None, **FOUND, **content}
    of_artifact(clients.s3(), planned).write("probe/export.json", result)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "result", "says"),
    [
        ({}, "pass", []),
        (
            {"without_parent": ["2 rows of xcom whose dag_run is missing: set aside"], "undecryptable": ["variable a"]},
            "warn",
            ["variable a cannot be decrypted with the source's Fernet key", "2 rows of xcom whose dag_run is missing"],
        ),
        (
            {
                "will_change": [
                    {"table": "xcom", "rows": 1, "examples": ["d t r1"], "reason": "its value was no JSON"}
                ],
                "not_examined": ["2 XComs of more than 4 MB were not looked at"],
            },
            "warn",
            ["1 row of xcom (d t r1) will be changed: its value was no JSON.", "2 XComs of more than 4 MB were not"],
        ),
        ({"problems": [REFUSED], "ready": False}, "fail", ["MigrationWouldFail: 1 row of xcom (d t r1 -1 k)"]),
    ],
)
def test_what_a_probe_finds_is_a_check_of_the_report(
    content: dict[str, Any], result: str, says: list[str], planned: Plan, commands: Commands, call: Handler
) -> None:
    event = {"migration": planned, "dag": our_dags.PROBE}
    assert call(trigger_dag_run, **event)["runId"] == f"mwaa_migrator_probe__{planned['id']}"
    assert commands.given[-1][-1] == our_dags.EXPORT
    leave_probe(planned, **content)
    if result == "fail":
        with pytest.raises(errors.MigrationError, match=r"xcom \(d t r1 -1 k\).* Nothing was paused") as caught:
            call(check_dag_run, **event, waitedSeconds=0)
        assert type(caught.value).__name__ == "MigrationWouldFail"
    else:
        assert call(check_dag_run, **event, waitedSeconds=0)["ready"]
    (check,) = check_results.read(of_attempt(clients.s3(), planned))  # type: ignore[arg-type]
    assert (check["name"], check["result"]) == ("Source database", result)
    assert "7 rows and 2.0 GB with indexes" in check["message"]
    assert "the import 15 s, and 4.0 GB of the target's disk" in check["message"]
    told = " ".join(finding["message"] or "" for finding in check.get("findings", []))
    assert [text for text in says if text not in told] == []


@pytest.mark.parametrize(("checks", "mode"), [("enforce", "migrate"), ("warn", "migrate"), ("enforce", "rehearse")])
def test_no_export_after_a_failed_check_that_nobody_has_judged(
    planned: Plan, commands: Commands, call: Handler, checks: str, mode: str
) -> None:
    """CheckFiles judges, but may end before it does: it has a time-out, and a limit of memory."""
    planned["mode"], planned["options"]["checks"] = mode, checks
    failed = Check(name="Import errors", result="fail", message="Airflow cannot import 1 DAG file.")
    check_results.write(of_attempt(clients.s3(), planned), "target", [failed])  # type: ignore[arg-type]
    assert call(trigger_dag_run, migration=planned, dag=our_dags.PROBE)["created"]
    given = len(commands.given)
    if (checks, mode) == ("enforce", "migrate"):
        with pytest.raises(errors.ChecksFailed, match="Import errors: Airflow cannot import 1 DAG file"):
            call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
        assert len(commands.given) == given
    else:
        assert call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)["created"]


def test_a_run_of_another_attempt_is_not_ours(planned: Plan, commands: Commands, call: Handler) -> None:
    leave(planned, our_dags.EXPORT, "export", run_id="mwaa_migrator_export__somebody")
    assert call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)["created"]


def test_a_run_is_watched_to_its_end(planned: Plan, commands: Commands, call: Handler) -> None:
    states = ("tasks", "states-for-dag-run")
    event = {"migration": planned, "dag": our_dags.IMPORT}
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "running"}]', "")
    assert call(check_dag_run, **event, waitedSeconds=0) == {
        "tasks": {"import": "running"},
        "ready": False,
        "waitSeconds": 60,
        "waitedSeconds": 60,
    }
    with pytest.raises(errors.DagRunTimedOut, match="'import': 'running'"):
        call(check_dag_run, **event, waitedSeconds=21600)
    leave(planned, our_dags.IMPORT, "import", "failed", error={"name": "ArtifactDamaged", "message": "part 3"})
    assert not call(check_dag_run, **event, waitedSeconds=0)["ready"]
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "failed"}]', "")
    with pytest.raises(errors.MigrationError, match="part 3") as caught:
        call(check_dag_run, **event, waitedSeconds=0)
    assert type(caught.value).__name__ == "ArtifactDamaged"
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify")
    assert call(check_dag_run, **event, waitedSeconds=0)["ready"]


def test_dag_versions_are_given_by_a_run_of_ours_in_the_upgraded_target(
    planned: Plan, commands: Commands, call: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mwaa_migrator_import.py").write_text("# our DAG")
    monkeypatch.setattr(dag_folder, "DAGS", tmp_path)
    states, run = ("tasks", "states-for-dag-run"), f"mwaa_migrator_versions__{planned['id']}"
    commands.answers[states] = Answer(False, "", "no such run")
    commands.answers["dags", "trigger"] = Answer(False, "", "DagNotFound")
    event = {"migration": planned}
    assert call(give_dag_versions, **event, waitedSeconds=0) == {"ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    # The hop had taken them away.
    assert "prod-3/dags/mwaa_migrator_import.py" in keys("prod-3/dags/")
    del commands.answers["dags", "trigger"]
    assert not call(give_dag_versions, **event, waitedSeconds=60)["ready"]
    trigger = commands.given[-1]
    assert (trigger[:4], trigger[-1]) == (("dags", "trigger", "--run-id", run), our_dags.IMPORT)
    assert "--logical-date" in trigger
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "running"}]', "")
    with pytest.raises(errors.DagRunTimedOut, match="'import': 'running'"):
        call(give_dag_versions, **event, waitedSeconds=86400)
    result = {"status": "done", "run_id": run, "error": None, "given_dag_version": 3}
    for task in ("import", "verify"):
        of_artifact(clients.s3(), planned).write(f"versions/{task}.json", result)  # type: ignore[arg-type]
    given = len(commands.given)
    assert call(give_dag_versions, **event, waitedSeconds=120)["ready"]
    assert [command[:2] for command in commands.given[given:]] == [states]


def test_a_target_without_a_way_in_is_told_from_one_that_works_on(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    run = f"mwaa_migrator_versions__{planned['id']}"
    failed = {"status": "failed", "run_id": run, "error": {"name": "DatabaseOutOfReach", "message": "No way."}}
    of_artifact(clients.s3(), planned).write("versions/import.json", failed)  # type: ignore[arg-type]
    commands.answers["tasks", "states-for-dag-run"] = Answer(True, '[{"task_id": "import", "state": "failed"}]', "")
    with pytest.raises(errors.MigrationError, match="No way") as caught:
        call(give_dag_versions, migration=planned, waitedSeconds=60)
    assert type(caught.value).__name__ == "DatabaseOutOfReach"


@pytest.mark.parametrize("error", [errors.TransientError, errors.CliUnreachable])
def test_a_cli_that_waits_for_the_imports_locks_ends_no_run(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def hang(*command: str) -> Answer:
        raise error("no answer in time")

    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(hang, version))
    event = {"migration": planned, "dag": our_dags.IMPORT}
    assert not call(check_dag_run, **event, waitedSeconds=0)["ready"]
    with pytest.raises(errors.DagRunTimedOut):
        call(check_dag_run, **event, waitedSeconds=21600)
    leave(planned, our_dags.IMPORT, "import", "failed", error={"name": "DatabaseFailed", "message": "connection lost"})
    # Whether it is tried again only the CLI tells; the state machine asks again.
    with pytest.raises(error):
        call(check_dag_run, **event, waitedSeconds=60)
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify")
    assert call(check_dag_run, **event, waitedSeconds=60)["ready"]


@pytest.mark.parametrize(("seconds", "limit"), [(1, 21600), (1, 604800), (60, 604800), (3600, 604800)])
def test_looks_fit_into_an_executions_history(seconds: int, limit: int) -> None:
    progress = waiting.ready(0)
    looks = 0
    while progress.waited_seconds < limit:
        progress = waiting.not_ready(progress.waited_seconds, seconds=seconds, limit=limit, timed_out=AssertionError)
        assert progress.wait_seconds >= seconds
        looks += 1
    # Some ten events each, of 25,000.
    assert looks < 2000


# Verify, CutOver, RollBack, Report


def test_a_dag_without_a_file_is_not_cut_over(planned: Plan, commands: Commands, call: Handler) -> None:
    """Unpaused years ago and then deleted, it is unknown to the target, whose CLI fails for it before 2.10."""
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "stale"], paused=2)
    of_artifact(clients.s3(), planned).write(  # type: ignore[arg-type]
        "dags.json", {"dags": [{"dag_id": "a", "file": "a.py", "paused": True}], "broken_files": []}
    )
    assert call(cut_over, migration=planned, done=0) == {"ready": True, "waitSeconds": 0, "done": 1, "dags": 1}
    assert "stale" not in " ".join(commands.given[-1])


def table(**parts: Any) -> Plan:
    good = {"exported": 10, "merged": 7, "kept": 2, "set_aside": 1, "match": True}
    return good | {"checksum_source": "c", "checksum_target": "c"} | parts


def test_verify_adds_up(planned: Plan, call: Handler) -> None:
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={"dag_run": table(), "xcom": table(exported=10)})
    assert call(verify, migration=planned) == {"tables": 2, "rows": 20}


@pytest.mark.parametrize(
    ("tables", "verified"),
    [({"dag_run": table(match=False)}, True), ({"dag_run": table(merged=6)}, True), ({"dag_run": table()}, False)],
)
def test_a_difference_is_no_success(planned: Plan, call: Handler, tables: Plan, verified: bool) -> None:
    leave(planned, our_dags.IMPORT, "verify", verified=verified, tables=tables)
    with pytest.raises(errors.VerificationFailed):
        call(verify, migration=planned)


def test_nothing_to_verify_is_no_success(planned: Plan, call: Handler) -> None:
    with pytest.raises(errors.ResultMissing):
        call(verify, migration=planned)


def test_cut_over_unpauses_what_was_active(planned: Plan, commands: Commands, call: Handler) -> None:
    active = [f"dag.{number}" for number in range(150)]
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=[*active, our_dags.EXPORT], paused=150)
    assert call(cut_over, migration=planned, done=0) == {"ready": True, "waitSeconds": 0, "done": 150, "dags": 150}
    assert [command[:2] for command in commands.given] == [("dags", "list"), *[("dags", "unpause")] * 2]
    assert all("--treat-dag-id-as-regex" in command for command in commands.given[1:])
    assert our_dags.EXPORT not in " ".join(commands.given[2])


@pytest.mark.parametrize("name", ["is_paused", "paused"])
def test_a_source_that_somebody_has_unpaused_is_not_cut_over(
    planned: Plan, commands: Commands, call: Handler, name: str
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "b"], paused=2)
    listed = [{"dag_id": "a", name: "True"}, {"dag_id": "b", name: "False"}, {"dag_id": "c", name: "False"}]
    commands.answers[("dags", "list")] = Answer(True, json.dumps(listed), "")
    with pytest.raises(errors.SourceActive, match="prod-2-10 has 1 DAG active again, 'b'"):
        call(cut_over, migration=planned, done=0)
    assert [command[:2] for command in commands.given] == [("dags", "list")]


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (Answer(True, '[{"dag_id": "a", "is_paused": "True"}]', ""), True),
        (Answer(True, '[{"dag_id": "b", "is_paused": "True"}]', ""), False),
        (Answer(True, '[{"dag_id": "a"}]', ""), False),
        (Answer(False, "", "no such command"), False),
    ],
)
def test_what_could_not_be_seen_is_in_the_report(
    planned: Plan, commands: Commands, call: Handler, answer: Answer, seen: bool
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    commands.answers[("dags", "list")] = answer
    assert call(cut_over, migration=planned, done=0)["ready"] is True
    told = json.loads(read(call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])["key"]))
    assert any("still paused" in note for note in told["notes"]) is not seen


def test_a_source_whose_web_server_hangs_is_cut_over(
    planned: Plan, commands: Commands, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*command: str) -> Answer:
        raise errors.TransientError("no answer in time")

    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    asked = runs.cli_of
    monkeypatch.setattr(
        runs,
        "cli_of",
        lambda side, version: AirflowCli(hang, version) if side["environment"] == "prod-2-10" else asked(side, version),
    )
    assert call(cut_over, migration=planned, done=0)["ready"] is True
    assert commands.given[-1][:2] == ("dags", "unpause")


def test_a_refused_cut_over_is_a_failure(planned: Plan, commands: Commands, call: Handler) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    commands.answers[("dags", "unpause")] = Answer(False, "", "database is locked")
    with pytest.raises(errors.CutOverFailed, match=r"1 DAG from 'a' on .*database is locked"):
        call(cut_over, migration=planned, done=0)


@pytest.mark.usefixtures("our_files")
def test_roll_back_before_the_export_only_takes_our_files_away(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    put("dags/a.py")
    call(stage_dags, migration=planned)
    for _ in range(2):
        assert call(roll_back, migration=planned, waitedSeconds=0, done=0)["ready"]
    assert commands.given == []
    assert keys() == ["dags/a.py", "prod-3/dags/a.py"]
    assert call(plan, input=document())["attempt"] == 2


def test_roll_back_resumes_what_was_quiesced(planned: Plan, commands: Commands, call: Handler) -> None:
    states = ("tasks", "states-for-dag-run")
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    commands.answers[states] = Answer(False, "", "not found")
    first = call(roll_back, migration=planned, waitedSeconds=0, done=0)
    assert first == {"done": 0, "ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    assert any(our_dags.RESUME in command for command in commands.given if command[:2] == ("dags", "trigger"))
    commands.answers[states] = Answer(True, '[{"task_id": "resume", "state": "running"}]', "")
    assert not call(roll_back, migration=planned, waitedSeconds=60, done=0)["ready"]
    with pytest.raises(errors.RollBackFailed, match="took longer than 21600 s"):
        call(roll_back, migration=planned, waitedSeconds=21600, done=0)
    leave(planned, our_dags.RESUME, "resume", resumed=3)
    assert call(roll_back, migration=planned, waitedSeconds=120, done=0)["ready"]


def test_a_failed_resume_fails_the_roll_back(planned: Plan, commands: Commands, call: Handler) -> None:
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    commands.answers[("tasks", "states-for-dag-run")] = Answer(True, '[{"task_id": "resume", "state": "failed"}]', "")
    leave(planned, our_dags.RESUME, "resume", "failed", error={"name": "DatabaseUnreachable", "message": "gone"})
    with pytest.raises(errors.RollBackFailed, match=r"gone.*Unpause those that quiesce\.json"):
        call(roll_back, migration=planned, waitedSeconds=0, done=0)


def test_a_rehearsal_that_failed_has_nothing_to_resume(planned: Plan, commands: Commands, call: Handler) -> None:
    rehearsal = planned | {"mode": "rehearse"}
    call(trigger_dag_run, migration=rehearsal, dag=our_dags.EXPORT)
    given = len(commands.given)
    assert call(roll_back, migration=rehearsal, waitedSeconds=0, done=0)["ready"]
    assert len(commands.given) == given


def test_roll_back_of_a_begun_cut_over_pauses_the_target_first(
    mwaa: Environments, planned: Plan, commands: Commands, call: Handler
) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "b"], paused=2)
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    call(cut_over, migration=planned, done=0)
    leave(planned, our_dags.RESUME, "resume", resumed=2)
    # One in maintenance goes on to run its DAGs afterwards.
    mwaa.all["prod-3"]["Status"] = "MAINTENANCE"
    assert not call(roll_back, migration=planned, waitedSeconds=0, done=0)["ready"]
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    assert call(roll_back, migration=planned, waitedSeconds=0, done=0) == {
        "done": 2,
        "ready": True,
        "waitSeconds": 0,
        "waitedSeconds": 0,
    }
    assert commands.given[-1][:2] == ("dags", "pause")


def test_report_of_a_success(mwaa: Environments, planned: Plan, commands: Commands, call: Handler) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    commands.answers[("dags", "list")] = Answer(True, f'[{{"dag_id": "a"}}, {{"dag_id": "{our_dags.IMPORT}"}}]', "")
    commands.answers[("dags", "list-import-errors")] = Answer(True, "[]", "")
    unfinished = {"dag_runs": 0, "task_instances": 0}
    leave(planned, our_dags.EXPORT, "export", unfinished=unfinished, tables={"dag": {"rows": 3}})
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={"dag_run": table()})
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert written["status"] == told["status"] == "SUCCEEDED"
    assert written["source"]["airflow_version"] == "2.10.3"
    assert written["target"]["airflow_version"] == "3.2.1"
    assert written["path"] == ["2.10.3", "2.11.2", "3.2.1"]
    assert [phase["name"] for phase in written["phases"]] == ["plan"]
    assert written["tables"]["dag_run"] == table()
    assert written["dags"] == {"source": 3, "parsed_in_target": 1, "import_errors": []}
    assert set(written["logs"]) == {"streams", "events_source", "events_copied", "events_archived", "events_lost"}


def test_a_web_server_that_does_not_answer_is_no_failure(
    mwaa: Environments, planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*command: str) -> Answer:
        raise errors.TransientError("no answer in time")

    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "2.11.2"}
    monkeypatch.setattr(runs, "final_cli", lambda migration, version: AirflowCli(hang, version))
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert (told["status"], written["dags"]["parsed_in_target"]) == ("SUCCEEDED", None)


def test_report_of_a_failure(planned: Plan, call: Handler) -> None:
    cause = json.dumps({"errorMessage": "part 3", "errorType": "ArtifactDamaged", "stackTrace": []})
    failure = {"state": "CheckImport", "error": "ArtifactDamaged", "cause": cause}
    told = call(report, migration=planned, failure=failure, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert written["status"] == "FAILED"
    assert written["failure"] == {"state": "CheckImport", "error": "ArtifactDamaged", "message": "part 3"}
    assert written["verified"] is False


def refuse(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, operation: str, code: str, status: int) -> None:
    """Makes a method answer as AWS does when it refuses an operation."""

    def refused(*_: Any, **__: Any) -> None:
        told: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(told, operation)

    monkeypatch.setattr(owner, method, refused)


def read(key: str) -> str:
    return clients.s3().get_object(Bucket="exchange", Key=key)["Body"].read().decode()


def test_no_answer_grows_with_the_number_of_dags(
    mwaa: Environments, planned: Plan, commands: Commands, call: Handler
) -> None:
    """What travels through the state machine is far below its 256 KiB with 3,000 DAGs of the longest names."""
    ids = [f"{number:04d}".ljust(250, "x") for number in range(3000)]
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    listed = json.dumps([{"dag_id": name} for name in ids])
    broken = json.dumps([{"filepath": name, "error": "SyntaxError " * 100} for name in ids])
    commands.answers[("dags", "list")] = Answer(True, listed, "")
    commands.answers[("dags", "list-import-errors")] = Answer(True, broken, "")
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=ids, paused=3000)
    leave(planned, our_dags.EXPORT, "export", unfinished={}, tables={"dag": {"rows": 3000}})
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={f"table_{n}": table() for n in range(40)})
    answers = [
        call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT),
        call(check_dag_run, migration=planned, dag=our_dags.EXPORT, waitedSeconds=0),
        call(verify, migration=planned),
        call(cut_over, migration=planned, done=0),
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[]),
        call(clean_up, migration=planned, failed=False, waitedSeconds=0),
    ]
    leave(planned, our_dags.RESUME, "resume", resumed=3000)
    answers.append(call(roll_back, migration=planned, waitedSeconds=0, done=0))
    assert max(len(json.dumps(answer)) for answer in [planned, *answers]) < 4096


def test_a_report_is_data_a_page_and_a_summary(planned: Plan, call: Handler) -> None:
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    folder = told["key"].removesuffix("report.json")
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(read(told["key"])))
    assert "prod-2-10" in read(f"{folder}report.html")
    assert "prod-2-10" in read(f"{folder}report.md")
    page = clients.s3().head_object(Bucket="exchange", Key=f"{folder}report.html")
    assert page["ContentType"] == "text/html; charset=utf-8"


def test_the_price_of_the_target_is_in_the_report(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = price.Price(1.85, "2.50 hours of mw1.medium")
    monkeypatch.setattr(price, "of_target", lambda *_: cost)
    rehearsal = {**planned, "mode": "rehearse"}
    told = call(report, migration=rehearsal, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(read(told["key"]))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(written)
    assert (written["price_usd"], written["price_basis"], written.get("price_on_the_day_usd")) == cost
    page = read(told["key"].replace(".json", ".html"))
    assert "$1.85" in page
    assert "2.50 hours of mw1.medium" in page
    assert "- Price of the target's hours: $1.85" in read(told["key"].replace(".json", ".md"))
    # The next rehearsal's report has it too.
    told = call(report, migration={**rehearsal, "id": "another"}, failure={}, rollBackFailure={}, unchecked=[])
    assert json.loads(read(told["key"]))["rehearsals"][0]["price_usd"] == 1.85
    assert read(told["key"].replace(".json", ".html")).count('<td class="number">$1.85</td>') == 2


def test_a_roll_back_by_hand_has_no_price(planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "of_target", lambda *_: price.Price(1.85, "hours"))
    told = call(report, migration={**planned, "rollBack": True}, failure={}, rollBackFailure={}, unchecked=[])
    assert "price_usd" not in json.loads(read(told["key"]))


def test_what_was_checked_is_in_the_report_and_makes_its_verdict(planned: Plan, call: Handler) -> None:
    store = of_attempt(clients.s3(), planned)  # type: ignore[arg-type]
    found: list[check_results.Check] = [
        {"name": "Ruff", "result": "fail", "message": "One", "findings": [{"file": "a.py", "line": 3, "message": "m"}]}
    ]
    check_results.write(store, "files", [{"name": "Again", "result": "warn", "message": "An earlier try's"}])
    check_results.write(store, "files", found)
    check_results.write(store, "target", [{"name": "Missing DAGs", "result": "pass", "message": "None"}])
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(read(told["key"]))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(written)
    assert [(check["name"], check["result"]) for check in written["checks"]] == [
        ("Ruff", "fail"),
        ("Missing DAGs", "pass"),
    ]
    assert told["verdict"] == written["verdict"] == "fail"
    assert "a.py:3" in read(told["key"].replace(".json", ".html"))


def published() -> list[tuple[str, str, str | None]]:
    """`(topic, message, subject)` of each notification that moto's SNS has taken."""
    (backend,) = (region for account in sns_backends.values() for name, region in account.items() if name == REGION)
    return [
        (arn, message, subject)
        for arn, topic in backend.topics.items()
        for _, message, subject, *_ in topic.sent_notifications
    ]


def test_the_notification_links_to_the_page(planned: Plan, call: Handler) -> None:
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    ((_, message, subject),) = published()
    assert subject == "Migrated, with errors: prod-2-10 -> prod-3"
    *_, place, _, link = message.splitlines()
    page = told["key"].replace(".json", ".html")
    assert place == f"Report: s3://exchange/{page}"
    url = urlsplit(link)
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("https", f"exchange.s3.{REGION}.amazonaws.com", f"/{page}")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["43200"]


def test_a_bucket_that_refuses_the_report_loses_nothing(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "AccessDenied", 403)
    failure = {"state": "CheckImport", "error": "ArtifactDamaged", "cause": "part 3 of dag_run"}
    told = call(report, migration=planned, failure=failure, rollBackFailure={}, unchecked=[])
    assert (told["status"], told["key"]) == ("FAILED", None)
    ((_, message, _),) = published()
    assert "part 3 of dag_run" in message
    assert message.endswith("The exchange bucket did not take the report; it is in the function's log.")
    (line,) = [record for record in caplog.records if record.getMessage() == "the report was not written"]
    assert line.__dict__["report"]["failure"]["message"] == "part 3 of dag_run"


def test_a_topic_that_refuses_the_notification_loses_nothing(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOPIC_ARN", f"arn:aws:sns:{REGION}:123456789012:gone")
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    assert told["status"] == "SUCCEEDED"
    assert json.loads(read(told["key"]))["status"] == "SUCCEEDED"
    assert "the topic could not be notified" in caplog.messages
    assert "X-Amz-Signature" not in caplog.text


def test_a_report_that_nobody_takes_has_a_name(planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "AccessDenied", 403)
    monkeypatch.setenv("TOPIC_ARN", f"arn:aws:sns:{REGION}:123456789012:gone")
    with pytest.raises(errors.ReportNotWritten, match="exchange"):
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])


def test_a_fault_of_the_bucket_that_passes_is_retried(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "SlowDown", 503)
    with pytest.raises(errors.TransientError):
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])


@pytest.mark.parametrize("subscribed", [True, False])
def test_a_topic_without_subscribers_is_told_in_the_log(
    planned: Plan, call: Handler, caplog: pytest.LogCaptureFixture, subscribed: bool
) -> None:
    if subscribed:
        queue = f"arn:aws:sqs:{REGION}:123456789012:queue"
        clients.sns().subscribe(TopicArn=os.environ["TOPIC_ARN"], Protocol="sqs", Endpoint=queue)
    call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    assert ("nobody has subscribed to the topic" in caplog.messages) != subscribed
