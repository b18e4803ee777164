from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import airflow_installation
from local.airflow_installation import AirflowCommandFailed, AirflowInstallation, UnknownAirflowVersion, install

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


def test_made_again_when_interrupted_or_when_the_lock_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lock of one small package, so that it takes a second."""
    monkeypatch.setattr(airflow_installation, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(airflow_installation, "INSTALLATIONS", tmp_path / "made")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "versions.toml").write_text(f'["0.1"]\npython = "{running}"\n')
    locked = (Path(airflow_installation.ROOT) / "requirements" / "dev.txt").read_text()
    packages = dict(re.findall(r"^((iniconfig|pluggy)==(?:.*\\\n)*.*\n)", locked, re.MULTILINE))
    iniconfig, pluggy = sorted(packages)

    def contents() -> set[str]:
        site_packages = next((tmp_path / "made" / "0.1" / "lib").glob("python*")) / "site-packages"
        return {path.name for path in site_packages.iterdir() if path.suffix == ""}

    (tmp_path / "0.1.txt").write_text(iniconfig)
    made = install("0.1")
    assert "iniconfig" in contents()

    leftover = made.directory / "leftover"
    leftover.touch()
    assert install("0.1") == made
    assert leftover.exists()

    next(made.directory.glob(".installed*")).unlink()
    install("0.1")
    assert not leftover.exists()

    (tmp_path / "0.1.txt").write_text(pluggy)
    install("0.1")
    assert "pluggy" in contents()
    assert "iniconfig" not in contents()


def test_a_second_process_waits_for_the_first(installation: AirflowInstallation) -> None:
    marker = next(installation.directory.glob(".installed*"))
    kept = marker.read_text()
    with (airflow_installation.INSTALLATIONS / f"{VERSION}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        marker.unlink()
        second = subprocess.Popen([sys.executable, "-m", "local.airflow_installation", "install", VERSION])
        try:
            time.sleep(1)
            assert second.poll() is None
        finally:
            marker.write_text(kept)
    assert second.wait(timeout=30) == 0
