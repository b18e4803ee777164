"""CreateEnvironment, PollEnvironment and UpdateEnvironment."""

from __future__ import annotations

from typing import Any

import pytest

import create_environment
import poll_environment
import stage_settings
import update_environment
from migration import errors
from migration.aws import clients
from migration.exchange.store import of_migration
from tests.unit.functions.conftest import Environments, Handler
from tests.unit.functions.objects import Plan, next_attempt, put

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
