from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.installations import airflow_installation
from local.installations.airflow_installation import (
    AirflowCommandFailed,
    AirflowInstallation,
    UnknownAirflowVersion,
    install,
)
from local.installations.file_lock import exclusively
from local.installations.folders import ROOT

VERSION = "2.10.3"


@pytest.fixture(scope="module")
def installation() -> AirflowInstallation:
    return install(VERSION)


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_every_version_has_a_lock_with_hashes_and_no_host(version: str) -> None:
    locked = (airflow_installation.REQUIREMENTS / f"{version}.txt").read_text()
    requirements = re.findall(r"^(\S+)==(\S+) .*\\\n    --hash=sha256:", locked, re.MULTILINE)
    assert ("apache-airflow", version) in requirements
    assert len(requirements) == len(re.findall(r"^[^#\s]", locked, re.MULTILINE))
    assert {"boto3", "psycopg2-binary"} <= {name for name, _ in requirements}
    assert "://" not in locked
    assert "index" not in locked.replace("airflow-providers-elasticsearch", "")


def test_an_unknown_version_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownAirflowVersion, match=r"Airflow 1\.8\.0 .*1\.10\.12, 2\.0\.2.*3\.2\.1"):
        install("1.8.0")


def test_runs_with_nothing_of_the_callers_airflow(
    installation: AirflowInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "the caller's")
    monkeypatch.setenv("PYTHONPATH", "the caller's")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    environment = installation.environment(
        tmp_path, f"sqlite:///{tmp_path}/airflow.db", core__executor="SequentialExecutor", core__parallelism="3"
    )
    assert "AIRFLOW__CORE__FERNET_KEY" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert installation.run("version", env=environment).splitlines()[-1] == VERSION
    assert installation.run("config", "get-value", "core", "parallelism", env=environment).strip() == "3"
    assert installation.run("config", "get-value", "core", "dags_folder", env=environment).strip() == f"{tmp_path}/dags"


def test_a_failed_command_shows_what_it_printed(installation: AirflowInstallation, tmp_path: Path) -> None:
    environment = installation.environment(
        tmp_path, f"sqlite:///{tmp_path}/airflow.db", core__executor="SequentialExecutor"
    )
    with pytest.raises(AirflowCommandFailed, match=r"(?s)`airflow dags nosuch` of Airflow 2\.10\.3.*invalid choice"):
        installation.run("dags", "nosuch", env=environment)


@pytest.mark.parametrize(
    ("version", "option"),
    [
        ("1.10.12", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.2.2", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.4.3", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("2.10.3", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("3.2.1", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
    ],
)
def test_the_database_option_has_the_versions_name(version: str, option: str, tmp_path: Path) -> None:
    environment = AirflowInstallation(version, tmp_path).environment(tmp_path, "postgresql://somewhere/airflow")
    conn = {name for name in environment if name.endswith("SQL_ALCHEMY_CONN")}
    assert conn == {option}


@pytest.fixture
def small_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What locks two small packages, by name, for a version 0.1 of which an installation takes a second."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "versions.toml").write_text(f'["0.1"]\npython = "{running}"\n')
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    monkeypatch.setattr(airflow_installation, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(airflow_installation, "INSTALLATIONS", tmp_path / "made")
    packages = re.findall(r"^((iniconfig|pluggy)==(?:.*\\\n)*.*\n)", locked, re.MULTILINE)
    return {name: lines for lines, name in packages}


def packages_in(installation: AirflowInstallation) -> set[str]:
    (site_packages,) = installation.directory.glob("lib/python*/site-packages")
    return {path.name for path in site_packages.iterdir()}


def test_made_again_when_interrupted_or_when_the_lock_changed(tmp_path: Path, small_packages: dict[str, str]) -> None:
    (tmp_path / "0.1.txt").write_text(small_packages["iniconfig"])
    made = install("0.1")
    assert "iniconfig" in packages_in(made)

    leftover = made.directory / "leftover"
    leftover.touch()
    assert install("0.1") == made
    assert leftover.exists()

    (marker,) = made.directory.glob(".installed*")
    marker.unlink()
    install("0.1")
    assert not leftover.exists()

    (tmp_path / "0.1.txt").write_text(small_packages["pluggy"])
    install("0.1")
    assert "pluggy" in packages_in(made)
    assert "iniconfig" not in packages_in(made)


def test_one_waits_while_another_installs(tmp_path: Path, small_packages: dict[str, str]) -> None:
    (tmp_path / "0.1.txt").write_text(small_packages["iniconfig"])
    with ThreadPoolExecutor() as pool:
        with exclusively(tmp_path / "made" / "0.1.lock"):
            waiting = pool.submit(install, "0.1")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=1)
            assert not (tmp_path / "made" / "0.1").exists()
        assert "iniconfig" in packages_in(waiting.result(timeout=60))
