"""StageDags, StageSettings and StageRollBack."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

import stage_dags
import stage_roll_back
import stage_settings
from local.installations.folders import ROOT
from migration import errors
from migration.aws import clients
from migration.environments import dag_folder, plugins_archive
from tests.unit.functions.conftest import Environments, Handler
from tests.unit.functions.objects import OURS, Plan, keys, next_attempt, put


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
