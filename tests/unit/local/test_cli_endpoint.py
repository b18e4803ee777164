"""What the functions send to a CLI endpoint is what its Airflow gets, whatever it looks like; over real TLS."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.aws import certificates
from local.mwaa.cli_endpoint import CliEndpoint, is_allowed, makes_run_without_date
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Endpoint
from migration.errors import CliRefused, DagRunRefused
from tests.hostile import names


class Airflow:
    """Keeps the arguments of the last command, and prints what it is told to, or those."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.prints: str | None = None
        self.version = "2.11.2"

    def __call__(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        self.arguments = arguments
        printed = " ".join(arguments) if self.prints is None else self.prints
        return subprocess.CompletedProcess(arguments, 0, printed.encode(), b"")


FAILED = b"Traceback (most recent call last):\n  ...\nairflow.exceptions.DagNotFound: Dag id d not found in DagModel\n"


def fail(arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
    return subprocess.CompletedProcess(arguments, 1, b"[2026-11-22 10:00:00,000] {plugins.py:1} INFO - x\n", FAILED)


class Mwaa:
    """CreateCliToken of one environment."""

    def __init__(self, endpoint: CliEndpoint) -> None:
        self._endpoint = endpoint
        #: How many of the next tokens expire on their way.
        self.expiring = 0

    def create_cli_token(self, Name: str) -> dict[str, str]:  # noqa: N803  # boto3's name
        token = self._endpoint.new_token()
        if self.expiring:
            self.expiring -= 1
            self._endpoint.expire_tokens()
        return {"WebServerHostname": self._endpoint.host, "CliToken": token}


@pytest.fixture(scope="module")
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture(scope="module")
def mwaa(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mwaa]:
    made = certificates.make(tmp_path_factory.mktemp("certificates") / "made")
    endpoint = CliEndpoint(made, airflow, airflow_version=lambda: airflow.version)
    endpoint.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(made.authority))
        yield Mwaa(endpoint)
    endpoint.stop()


@pytest.fixture(scope="module")
def run(mwaa: Any) -> Endpoint:
    return Endpoint(mwaa, "an-environment")


@given(words=st.lists(names(), max_size=4), printed=names())
@settings(max_examples=60, deadline=None)
def test_arguments_and_output_are_not_interpreted(
    run: Endpoint, airflow: Airflow, words: list[str], printed: str
) -> None:
    airflow.prints = printed
    answer = run("dags", "list", *words)
    airflow.prints = None
    assert airflow.arguments == ["dags", "list", *words]
    assert (answer.succeeded, answer.stdout) == (True, printed)


@given(run_id=names(), conf=st.dictionaries(names(), names() | st.lists(names(), max_size=3), max_size=3))
@settings(max_examples=60, deadline=None)
def test_conf_is_not_interpreted(run: Endpoint, airflow: Airflow, run_id: str, conf: dict[str, Any]) -> None:
    AirflowCli(run, "2.11.2").trigger("a_dag", run_id, "2026-11-22T10:00:00+00:00", conf)
    assert airflow.arguments[:4] == ["dags", "trigger", "--run-id", run_id]
    assert airflow.arguments[4] == "--conf"
    assert json.loads(airflow.arguments[5]) == conf
    assert airflow.arguments[6:] == ["a_dag"]


@given(dags=st.lists(names(), min_size=1, max_size=5, unique=True))
@settings(max_examples=40, deadline=None)
def test_one_argument_names_many_dags(run: Endpoint, airflow: Airflow, dags: list[str]) -> None:
    AirflowCli(run, "2.11.2").set_paused(dags, paused=True)
    assert airflow.arguments[:4] == ["dags", "pause", "--treat-dag-id-as-regex", "--yes"]
    assert len(airflow.arguments) == 5


def test_a_token_that_expires_on_its_way_is_replaced_once(mwaa: Mwaa, run: Endpoint, airflow: Airflow) -> None:
    mwaa.expiring = 1
    assert run("dags", "state", "once").succeeded
    assert airflow.arguments == ["dags", "state", "once"]
    mwaa.expiring = 2
    with pytest.raises(CliRefused):
        run("dags", "state", "twice")
    assert airflow.arguments == ["dags", "state", "once"]


def test_3_x_redirects_to_the_form_with_a_slash(run: Endpoint, airflow: Airflow) -> None:
    airflow.version = "3.2.1"
    try:
        assert run("dags", "state", "d").succeeded
        assert airflow.arguments == ["dags", "state", "d"]
    finally:
        airflow.version = "2.11.2"


@pytest.mark.parametrize("status", ["400", "200"])
def test_a_command_that_failed_has_failed_whatever_its_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: str
) -> None:
    monkeypatch.setenv("CLI_FAILURE", status)
    made = certificates.make(tmp_path / "made")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(made.authority))
    endpoint = CliEndpoint(made, fail)
    endpoint.start()
    try:
        run: Any = Endpoint(Mwaa(endpoint), "an-environment")  # type: ignore[arg-type]
        assert not run("dags", "unpause", "d").succeeded
        with pytest.raises(DagRunRefused, match="Dag id d not found"):
            AirflowCli(run, "2.11.2").trigger("d", "r", "2026-11-22T10:00:00+00:00", {})
    finally:
        endpoint.stop()


@pytest.mark.parametrize(
    ("version", "command", "allowed"),
    [
        ("1.10.12", "trigger_dag d", True),
        ("1.10.12", "list_dags", False),
        ("1.10.12", "dags trigger d", False),
        ("2.0.2", "dags trigger d", True),
        ("2.0.2", "dags list-runs", False),
        ("2.2.2", "dags list-runs", True),
        ("2.5.1", "dags list-import-errors", False),
        ("2.6.3", "dags list-import-errors", True),
        ("3.2.1", "dags list-import-errors", True),
        ("3.2.1", "trigger_dag d", False),
        ("3.2.1", "db reset -y", False),
        ("2.11.2", "connections list", False),
        ("2.11.2", "", False),
    ],
)
def test_commands_are_allowed_by_version(version: str, command: str, allowed: bool) -> None:
    assert is_allowed(command.split(), version) is allowed


@pytest.mark.parametrize(
    ("version", "command", "without"),
    [
        ("2.11.2", "dags trigger d", False),
        ("3.0.6", "dags trigger d --run-id r", True),
        ("3.2.1", "dags trigger d --run-id r --logical-date 2026-11-22T10:00:00+00:00", False),
        ("3.2.1", "dags trigger -l 2026-11-22 d", False),
        ("3.2.1", "dags unpause d", False),
    ],
)
def test_which_runs_have_no_logical_date(version: str, command: str, without: bool) -> None:
    assert makes_run_without_date(command.split(), version) is without


def test_a_migrations_runs_on_3_x_have_one(run: Endpoint, airflow: Airflow) -> None:
    airflow.version = "3.2.1"
    try:
        AirflowCli(run, "3.2.1").trigger("d", "r", "2026-11-22T10:00:00+00:00", {})
    finally:
        airflow.version = "2.11.2"
    assert not makes_run_without_date(airflow.arguments, "3.2.1")
