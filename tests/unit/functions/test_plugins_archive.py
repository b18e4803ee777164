"""The target's plugins.zip: ours beside the user's."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from local.installations.folders import ROOT
from migration.environments import dag_folder, plugins_archive

ARTIFACTS = "s3://exchange/artifacts/"
OURS = {"mwaa_migrator_plugin.py", "mwaa_migrator_plugin.json", "mwaa_migrator_engine.zip"}


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_folder, "DAGS", ROOT / "dags")


def merged(users: bytes | None) -> bytes:
    return plugins_archive.with_plugin(users, ARTIFACTS)


def names(archive: bytes) -> set[str]:
    with zipfile.ZipFile(BytesIO(archive)) as read:
        assert read.testzip() is None
        return set(read.namelist())


def test_without_any_of_the_users() -> None:
    made = merged(None)
    assert names(made) == OURS
    with zipfile.ZipFile(BytesIO(made)) as archive:
        assert json.loads(archive.read("mwaa_migrator_plugin.json")) == {"artifacts": ARTIFACTS}
        engine = names(archive.read("mwaa_migrator_engine.zip"))
    package = ROOT / "dags" / "mwaa_migrator"
    assert engine == {f"mwaa_migrator/{file.relative_to(package)}" for file in package.rglob("*.py")}
    # The archive is staged again when a state runs twice, and must be the same then.
    assert merged(None) == made


def test_the_users_stay_as_they_are(tmp_path: Path) -> None:
    users = BytesIO()
    with zipfile.ZipFile(users, "w") as archive:
        archive.writestr(zipfile.ZipInfo("operators/", (2026, 1, 1, 0, 0, 0)), b"")
        script = zipfile.ZipInfo("bin/run.sh", (2026, 1, 1, 0, 0, 0))
        script.external_attr = 0o755 << 16
        archive.writestr(script, "#!/bin/sh")
        archive.writestr("operators/ours.py", "x = 1")
        # From an earlier migration.
        archive.writestr("mwaa_migrator_plugin.py", "old")
    made = merged(users.getvalue())
    assert names(made) == {"operators/", "bin/run.sh", "operators/ours.py"} | OURS
    with zipfile.ZipFile(BytesIO(made)) as archive:
        assert archive.read("operators/ours.py") == b"x = 1"
        assert archive.getinfo("bin/run.sh").external_attr >> 16 & 0o777 == 0o755
        assert archive.read("mwaa_migrator_plugin.py") != b"old"


def test_what_is_no_archive() -> None:
    with pytest.raises(zipfile.BadZipFile):
        merged(b"no archive")
