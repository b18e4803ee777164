"""An environment that exists as the target: what is refused, what is only told, and what is left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import clean_up
import create_environment
import cut_over
import plan
import roll_back
import stage_dags
import stage_settings
import trigger_dag_run
from migration import errors
from migration.airflow import our_dags
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.checks import asking_target
from migration.checks.asking_target import Target
from migration.environments import adoption
from migration.environments.adoption import Difference
from migration.exchange.locks import Locks, Place
from migration.exchange.store import of_artifact, of_attempt
from tests.unit.functions.conftest import REGION, ROLE, TRUST, Commands, Environments, Handler
from tests.unit.functions.objects import Plan, keys, next_attempt, put

FOLDER = "owners/dags"
UPDATED = {"Source": "arn:aws:cloudformation:platform", "CreatedAt": datetime(2026, 11, 1, 10, 0, tzinfo=UTC)}


def document(**parts: Any) -> dict[str, Any]:
    made = {"source": {"environment": "prod-2-10"}, "target": {"environment": "prod-3", "adopt": True}}
    return made | parts


@pytest.fixture
def target(mwaa: Environments) -> dict[str, Any]:
    """The environment that its owner has made."""
    clients.iam().create_role(RoleName="owners", AssumeRolePolicyDocument=json.dumps(TRUST))
    mwaa.all["prod-3"] = {
        "Name": "prod-3",
        "Status": "AVAILABLE",
        "AirflowVersion": "3.2.1",
        "ExecutionRoleArn": ROLE.replace("airflow", "owners"),
        "SourceBucketArn": "arn:aws:s3:::dags",
        "DagS3Path": FOLDER,
        "NetworkConfiguration": {"SubnetIds": ["subnet-0123456c", "subnet-0123456d"], "SecurityGroupIds": ["sg-2"]},
        "AirflowConfigurationOptions": {},
        "Tags": {},
    }
    return mwaa.all["prod-3"]


@pytest.fixture
def adopting(target: dict[str, Any], call: Handler) -> Plan:
    return call(plan, input=document())


def test_the_plan_has_the_target_as_it_is(adopting: Plan, mwaa: Environments) -> None:
    assert adopting["target"] == {
        "environment": "prod-3",
        "region": REGION,
        "airflowVersion": "3.2.1",
        "executionRoleArn": ROLE.replace("airflow", "owners"),
        "bucket": "dags",
        "dagsPath": FOLDER,
    }
    assert (adopting["adopted"], adopting["path"], adopting["hops"]) == (True, ["2.10.3", "3.2.1"], [])
    # Neither a fall back, which would delete it, nor a plugin.
    assert (adopting["options"]["path"], adopting["wayIn"], adopting["notes"]) == ("direct", "worker", [])
    assert set(mwaa.calls) == {"GetEnvironment"}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        (
            {"AirflowVersion": "2.9.2"},
            "Downgrade",
            "prod-3 runs Airflow 2.9.2, which is older than the source's 2.10.3",
        ),
        ({"Status": "UPDATING"}, "TargetUnfit", "prod-3 is UPDATING; start again when it is AVAILABLE"),
        ({"Status": "MAINTENANCE"}, "TargetUnfit", "prod-3 is MAINTENANCE"),
        ({"DagS3Path": "dags"}, "FolderShared", "target.environment: s3://dags/dags/ and the source's dags/ overlap"),
        ({"DagS3Path": "dags/new"}, "FolderShared", "give the target a folder of its own"),
        ({"SourceBucketArn": "arn:aws:s3:::gone"}, "BucketNotFound", "target.environment: the DAG bucket gone"),
        ({"ExecutionRoleArn": ROLE + "-gone"}, "RoleNotFound", "target.environment: the execution role"),
        ({"Tags": {"mwaa-migrator:throw-away": "true"}}, "TargetUnfit", "is a rehearsal's target and will be deleted"),
        (
            {"AirflowConfigurationOptions": {"core.dags_are_paused_at_creation": "False"}},
            "TargetUnfit",
            "the source's DAGs would run there before the cut-over; have your code set it to True",
        ),
    ],
)
def test_what_is_refused(
    mwaa: Environments, target: dict[str, Any], call: Handler, changes: dict[str, Any], error: str, says: str
) -> None:
    target |= changes
    with pytest.raises(errors.MigrationError, match=says) as refused:
        call(plan, input=document())
    assert type(refused.value).__name__ == error
    assert set(mwaa.calls) == {"GetEnvironment"}
    # Nobody is kept from trying again.
    assert Locks(clients.s3(), "exchange").places() == []


def test_a_hop_would_be_needed(mwaa: Environments, target: dict[str, Any], call: Handler) -> None:
    mwaa.all["prod-2-10"]["AirflowVersion"] = "2.2.2"
    with pytest.raises(
        errors.PathUnfit, match=r"own migrations begin at 2\.[67]\.\d, and the source runs 2\.2\.2.*2\.11"
    ):
        call(plan, input=document())
    target["AirflowVersion"] = "2.11.2"
    assert call(plan, input=document())["path"] == ["2.2.2", "2.11.2"]


def test_there_is_no_such_environment(mwaa: Environments, call: Handler) -> None:
    with pytest.raises(errors.TargetNotFound, match=r"^target\.environment: there is no environment 'prod-3' in eu"):
        call(plan, input=document())


def test_it_is_the_source(mwaa: Environments, call: Handler) -> None:
    with pytest.raises(errors.PreconditionsFailed, match=r"SameEnvironment at target\.environment"):
        call(plan, input=document(target={"environment": "prod-2-10", "adopt": True}))


def test_it_has_not_the_version_that_the_input_expects(target: dict[str, Any], call: Handler) -> None:
    expecting = {"environment": "prod-3", "adopt": True, "airflowVersion": "3.3.0"}
    with pytest.raises(errors.TargetUnfit, match=r"^target\.airflowVersion: prod-3 runs Airflow 3\.2\.1, not 3\.3\.0"):
        call(plan, input=document(target=expecting))
    assert call(plan, input=document(target=expecting | {"airflowVersion": "3.2.1"}))["adopted"]


def test_it_is_in_use(target: dict[str, Any], call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    states = clients.states()
    monkeypatch.setattr(states, "describe_execution", lambda **_: {"status": "RUNNING"})
    Locks(clients.s3(), "exchange").acquire([Place(REGION, "prod-3")], "other", "arn:other", states, break_lock=False)
    with pytest.raises(errors.EnvironmentLocked, match="prod-3 in eu-west-1 has been locked by migration other"):
        call(plan, input=document())


def test_all_faults_are_told_together(mwaa: Environments, target: dict[str, Any], call: Handler) -> None:
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    target |= {"Status": "UPDATING", "AirflowVersion": "2.9.2", "DagS3Path": "dags"}
    given = {"environment": "prod-3", "adopt": True}
    with pytest.raises(errors.PreconditionsFailed) as refused:
        call(plan, input=document(target=given))
    for name in ("SourceNotAvailable at source", "TargetUnfit at target", "Downgrade at target", "FolderShared at"):
        assert name in str(refused.value)
    with pytest.raises(errors.PreconditionsFailed, match=r"Downgrade.*UnknownOverride at target\.overrides\.Nope"):
        call(plan, input=document(target=given | {"overrides": {"Nope": 1}}))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"mode": "rehearse"}, "InvalidValue at target.adopt: is true, and a rehearsal deletes its target"),
        (
            {"options": {"path": "through-2.11"}},
            "options.path: is through-2.11, and an adopted target is never upgraded",
        ),
        ({"options": {"wayIn": "plugin"}}, "options.wayIn: is plugin, and an adopted target gets no plugin of ours"),
        (
            {"options": {"importVersion": "2.11.2"}},
            "options.importVersion: is 2.11.2, and an adopted target is imported",
        ),
        (
            {"options": {"targetOnFailure": "delete"}},
            "options.targetOnFailure: is delete, and an adopted target is never",
        ),
        (
            {"target": {"environment": "prod-3", "airflowVersion": "3.2.1"}, "options": {"copyDags": False}},
            "options.copyDags: is false, and a target that is made has no DAGs but the source's",
        ),
        ({"target": {"environment": "prod-3", "adopt": False}}, "MissingField at target.airflowVersion"),
    ],
)
def test_what_does_not_go_together(call: Handler, parts: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.InvalidInput, match=says):
        call(plan, input=document(**parts))


def test_a_rollback_by_hand_does_not_delete_it(adopting: Plan, call: Handler) -> None:
    given = {"mode": "rollback", "migrationId": adopting["id"]}
    with pytest.raises(errors.InvalidInput, match="an adopted target is never deleted"):
        call(plan, input=given | {"options": {"targetOnFailure": "delete"}})
    assert call(plan, input=given)["rollBack"]


def test_differences(mwaa: Environments, target: dict[str, Any], adopting: Plan) -> None:
    mwaa.all["prod-2-10"] |= {
        "MaxWorkers": 10,
        "PluginsS3Path": "plugins.zip",
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "INFO", "CloudWatchLogGroupArn": "arn"}},
        "Tags": {"team": "data"},
        "AirflowConfigurationOptions": {"core.parallelism": "64", "secrets.backend_kwargs": "hunter2"},
    }
    target |= {
        "MaxWorkers": 5,
        "RequirementsS3Path": "other/requirements.txt",
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "ERROR", "CloudWatchLogGroupArn": "other"}},
        "AirflowConfigurationOptions": {"core.parallelism": "32", "core.x": "1"},
    }
    found = adoption.differences(adopting, mwaa.all["prod-2-10"], target)  # type: ignore[arg-type]
    options, network = "AirflowConfigurationOptions", "NetworkConfiguration"
    assert found == [
        Difference((options, "core.parallelism"), "64", "32"),
        Difference((options, "core.x"), None, "1"),
        Difference((options, "secrets.backend_kwargs"), "hunter2", None),
        Difference(("ExecutionRoleArn",), ROLE, ROLE.replace("airflow", "owners")),
        Difference(("LoggingConfiguration", "TaskLogs", "LogLevel"), "INFO", "ERROR"),
        Difference(("MaxWorkers",), 10, 5),
        Difference((network, "SecurityGroupIds"), ["sg-1"], ["sg-2"]),
        Difference(
            (network, "SubnetIds"), ["subnet-0123456a", "subnet-0123456b"], ["subnet-0123456c", "subnet-0123456d"]
        ),
        Difference(("PluginsS3Path",), "plugins.zip", None),
    ]
    told = [difference.told("prod-3") for difference in found]
    assert told[:3] == [
        "The option core.parallelism of prod-3 has a value that is not the expected one.",
        "The option core.x of prod-3 is not expected.",
        "The option secrets.backend_kwargs of prod-3 is missing.",
    ]
    assert told[5] == "MaxWorkers of prod-3 is 5; 10 is expected."
    assert told[8] == "PluginsS3Path of prod-3 is not set; plugins.zip is expected."
    assert "hunter2" not in str(told)
    # What the input says is expected in place of what the source has.
    expecting = adopting | {"overrides": {"MaxWorkers": 5, "PluginsS3Path": "new/plugins.zip"}}
    names = [difference.name for difference in adoption.differences(expecting, mwaa.all["prod-2-10"], target)]  # type: ignore[arg-type]
    assert "MaxWorkers" not in names
    assert "PluginsS3Path" in names
    # In another region nothing that holds in a region only can be the same.
    away = adopting | {"target": adopting["target"] | {"region": "eu-central-1"}}
    names = [difference.name for difference in adoption.differences(away, mwaa.all["prod-2-10"], target)]  # type: ignore[arg-type]
    assert not [name for name in names if name.startswith(network)]


def test_nothing_is_staged_or_created(mwaa: Environments, adopting: Plan, call: Handler) -> None:
    put("requirements.txt", "pandas\n")
    before = json.dumps(mwaa.all["prod-3"])
    files = call(stage_settings, migration=adopting, airflowVersion="3.2.1")["files"]
    made = call(create_environment, migration=adopting, phase="create target", files=files)
    assert made == {"environment": "prod-3", "created": False}
    assert json.dumps(mwaa.all["prod-3"]) == before
    assert set(mwaa.calls) == {"GetEnvironment"}
    assert keys("prod-3/") == []
    notes = of_attempt(clients.s3(), adopting).read("settings.json")["notes"]  # type: ignore[arg-type]
    assert "RequirementsS3Path of prod-3 is not set; requirements.txt is expected." in notes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"MaxWorkers": 9}, "MaxWorkers of the adopted target prod-3 was changed"),
        ({"AirflowConfigurationOptions": {"core.x": "hunter2"}}, r"core\.x of the adopted target"),
        ({"AirflowVersion": "3.3.0", "DagS3Path": "x"}, "AirflowVersion, DagS3Path of the adopted target"),
        ({"Status": "UPDATING"}, "The adopted target prod-3 is UPDATING"),
        ({"Status": "DELETING"}, "is DELETING"),
    ],
)
def test_its_owner_changes_it_meanwhile(
    target: dict[str, Any], adopting: Plan, call: Handler, commands: Commands, changes: dict[str, Any], says: str
) -> None:
    target |= changes | {"LastUpdate": UPDATED}
    steps: list[tuple[Any, dict[str, Any]]] = [
        (create_environment, {"phase": "create target", "files": {}}),
        (trigger_dag_run, {"dag": our_dags.EXPORT}),
        (trigger_dag_run, {"dag": our_dags.IMPORT}),
        (cut_over, {"done": 0}),
    ]
    for module, event in steps:
        with pytest.raises(errors.TargetChanged, match=says) as changed:
            call(module, migration=adopting, **event)
        assert "by arn:aws:cloudformation:platform at 2026-11-01T10:00:00Z" in str(changed.value)
        assert "hunter2" not in str(changed.value)
    assert commands.given == []


def test_it_is_gone_meanwhile(mwaa: Environments, adopting: Plan, call: Handler) -> None:
    del mwaa.all["prod-3"]
    with pytest.raises(errors.TargetChanged, match="does not exist any more"):
        call(create_environment, migration=adopting, phase="create target", files={})


def test_maintenance_is_no_change(target: dict[str, Any], adopting: Plan, call: Handler) -> None:
    target |= {"Status": "MAINTENANCE", "LastUpdate": UPDATED}
    call(create_environment, migration=adopting, phase="create target", files={})


@pytest.mark.usefixtures("our_files", "commands")
def test_its_owners_files_stay(adopting: Plan, target: dict[str, Any], call: Handler) -> None:
    for name in ("both.py", "kept.py", "moved.py"):
        put(f"dags/{name}", "the source's")
    put(f"{FOLDER}/both.py", "its owner's")
    put(f"{FOLDER}/own.py", "its owner's")
    for _ in range(2):
        assert call(stage_dags, migration=adopting) == {"objects": 2, "ours": 2}
    assert body("both.py") == "its owner's"
    assert body("kept.py") == "the source's"
    (note,) = of_attempt(clients.s3(), adopting).read("settings.json")["notes"]  # type: ignore[arg-type]
    assert note == "In the DAG folder of prod-3, 1 file of its owner stayed in place of the source's: both.py."
    # Meanwhile its owner has put one of them there as well.
    put(f"{FOLDER}/moved.py", "its owner's by now")
    call(roll_back, migration=adopting, waitedSeconds=0, done=0)
    assert keys(FOLDER) == [f"{FOLDER}/{name}" for name in ("both.py", "moved.py", "own.py")]
    again = next_attempt(adopting, call, document())
    assert call(stage_dags, migration=again) == {"objects": 1, "ours": 2}


@pytest.mark.usefixtures("our_files")
def test_its_owner_deploys_the_dags(target: dict[str, Any], call: Handler) -> None:
    put("dags/a.py")
    migration = call(plan, input=document(options={"copyDags": False}))
    assert call(stage_dags, migration=migration) == {"objects": 0, "ours": 2}
    assert keys(FOLDER) == [f"{FOLDER}/mwaa_migrator/__init__.py", f"{FOLDER}/mwaa_migrator_export.py"]


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize("failed", [True, False])
def test_it_is_never_deleted(mwaa: Environments, adopting: Plan, call: Handler, failed: bool) -> None:
    for waited in (0, 60, 60):
        call(clean_up, migration=adopting | {"rollBack": failed}, failed=failed, waitedSeconds=waited)
    assert "DeleteEnvironment" not in mwaa.calls
    assert mwaa.all["prod-3"]["Status"] == "AVAILABLE"


def test_dags_that_run_there_already_stop_the_migration(adopting: Plan, commands: Commands) -> None:
    rows = [{"dag_id": "orders", "is_paused": "False"}, {"dag_id": "reports", "is_paused": "True"}]
    commands.answers[("dags", "list-import-errors")] = Answer(True, "[]", "")
    commands.answers[("dags", "list")] = Answer(True, json.dumps([*rows, {"dag_id": "own", "is_paused": "False"}]), "")
    from migration.airflow import runs

    cli = runs.final_cli(adopting)  # type: ignore[arg-type]
    target = Target(cli, "3.2.1", set(), lambda name: "", lambda name: None)
    known: Any = {
        "dags": [{"dag_id": "orders", "file": "a.py"}, {"dag_id": "reports", "file": "a.py"}],
        "broken_files": [],
        "variables": [],
        "connections": [],
    }
    store, artifact = (of(clients.s3(), adopting) for of in (of_attempt, of_artifact))  # type: ignore[arg-type]
    progress = asking_target.begin(store, artifact, adopting)  # type: ignore[arg-type]
    assert asking_target.look(progress, target, store, known, adopting, 0)  # type: ignore[arg-type]
    check = progress["checks"][asking_target.ACTIVE_DAGS]
    assert (check["result"], [one["dag"] for one in check["findings"]]) == ("fail", ["orders"])


def body(name: str) -> str:
    return clients.s3().get_object(Bucket="dags", Key=f"{FOLDER}/{name}")["Body"].read().decode()
