"""The probe: what its task asks of a real PostgreSQL, what doctor makes of the answers, and that it takes all back."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg2
import pytest
from werkzeug.wrappers import Response

from local.aws.iam import required_permissions
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.installations import metadata_roles
from local.installations.folders import ROOT
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from mwaa_migrator_cli.doctor import probe, probe_dag, ways_in

from .conftest import Doctor
from .light_airflow import ANSWERS, EnvironmentWithAirflow
from .test_lies import unexpected

State = dict[str, Any]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SETTLED_AFTER", 0.0)
    monkeypatch.setattr(probe, "_PAUSE", 0.2)
    monkeypatch.setattr(probe, "_PARSED_WITHIN", 2.0)
    monkeypatch.setattr(probe, "_ANSWERED_WITHIN", 2.0)


@pytest.fixture
def airflow(environment: Environment) -> Iterator[EnvironmentWithAirflow]:
    """The environment, whose task answers in the usual way again afterwards."""
    assert isinstance(environment, EnvironmentWithAirflow)
    yield environment
    environment.answers = dict(ANSWERS)


def state(aws: AwsWithMwaa) -> State:
    """All that a probe touches in the account."""
    s3, exchange = aws.client("s3"), aws.deployed.outputs["ExchangeBucket"]
    objects = {
        bucket: [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        for bucket in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    }
    grants = aws.client("kms").list_grants(KeyId=aws.deployed.resources["Key"])["Grants"]
    return {
        "objects": objects,
        "policy": json.loads(s3.get_bucket_policy(Bucket=exchange)["Policy"])["Statement"],
        "grants": [grant["Name"] for grant in grants],
    }


def test_it_finds_nothing_and_takes_all_back(doctor: Doctor, aws: AwsWithMwaa, airflow: EnvironmentWithAirflow) -> None:
    before = state(aws)
    code, findings = doctor("--probe")
    assert (unexpected(findings), code) == ([], 0)
    assert {check.name for check in probe.CHECKS} <= {one["check"] for one in findings}
    assert state(aws) == before
    assert set(airflow.deleted) == {"mwaa_migrator_doctor"}


def test_the_rights_that_it_needs_in_the_exchange_bucket_are_documented(
    doctor: Doctor, aws: AwsWithMwaa, airflow: EnvironmentWithAirflow
) -> None:
    exchange = (aws.deployed.outputs["ExchangeBucket"], aws.deployed.resources["Key"])
    used: set[str] = set()

    def note(request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        if principal.is_administrator:
            for needed in required_permissions.requirements(request, aws.endpoint.identities.account):
                if any(name in resource for name in exchange for resource in needed.resources):
                    used.add(needed.action)
        return carry_out()

    aws.endpoint.interceptor = note
    try:
        doctor("--probe")
    finally:
        aws.endpoint.interceptor = None
    lines = (ROOT / "docs" / "iam.md").read_text().splitlines()
    documented = {
        action
        for line in lines
        if line.endswith("| `--probe` |") and ("the exchange bucket" in line or "the stack's key" in line)
        for action in re.findall(r"`(\w+:\w+)`", line)
    }
    # Without the right to list, S3 answers for an object that is not there as for one that may not be read.
    assert used | {"s3:ListBucket"} == documented


@pytest.mark.parametrize(
    ("lie", "check", "stops"),
    [
        ({"waysIn": []}, "probe-way-in", False),
        ({"who": {**ANSWERS["who"], "isMember": False}}, "probe-role", True),
        ({"who": {**ANSWERS["who"], "mayWrite": False}}, "probe-role", True),
        ({"schemaRefusal": "permission denied for database"}, "probe-schema", True),
        ({"idleSeconds": 30}, "probe-idle", False),
    ],
)
def test_a_lie_is_found(doctor: Doctor, airflow: EnvironmentWithAirflow, lie: State, check: str, stops: bool) -> None:
    airflow.answers = {**ANSWERS, **lie}
    code, findings = doctor("--probe")
    assert (unexpected(findings), code) == ([(check, "different", stops)], 1 if stops else 3)


def test_where_no_way_leads_into_the_database_it_is_told_before_the_day(
    doctor: Doctor, airflow: EnvironmentWithAirflow
) -> None:
    closed = {"MWAA__DB": "the server refused the password", "DB_SECRETS": "without DB_SECRETS"}
    airflow.answers = {"waysIn": [], "closed": closed}
    code, findings = doctor("--probe")
    (found,) = [finding for finding in findings if finding["check"] == "probe-way-in"]
    assert (code, found["answer"], found["stops"]) == (3, "different", False)
    assert found["found"] == "none. Tried: DB_SECRETS (without DB_SECRETS); MWAA__DB (the server refused the password)"
    assert "falls back to the path through 2.11" in found["meaning"]


def test_a_task_that_does_not_reach_the_bucket(
    doctor: Doctor, aws: AwsWithMwaa, airflow: EnvironmentWithAirflow
) -> None:
    before = state(aws)
    airflow.answers = {}
    code, findings = doctor("--probe")
    assert (unexpected(findings), code) == ([("probe-task", "different", True)], 1)
    assert state(aws) == before


def test_a_dag_that_airflow_does_not_know(doctor: Doctor, aws: AwsWithMwaa, airflow: EnvironmentWithAirflow) -> None:
    before = state(aws)
    airflow.parses = False
    try:
        code, findings = doctor("--probe")
    finally:
        airflow.parses = True
    assert (unexpected(findings), code) == ([("cli-trigger", "different", True)], 1)
    assert state(aws) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_probe_takes_all_back(
    doctor: Doctor, aws: AwsWithMwaa, airflow: EnvironmentWithAirflow, number: signal.Signals
) -> None:
    before = state(aws)
    airflow.before_answer = lambda: os.kill(os.getpid(), number)
    airflow.answers = {}
    # As at a terminal: a shell has what it runs in the background ignore SIGINT.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises((SystemExit, KeyboardInterrupt, AssertionError)):
            doctor("--probe")
    finally:
        airflow.before_answer = lambda: None
        signal.signal(signal.SIGINT, usual)
    assert state(aws) == before


@pytest.fixture
def database(aws: AwsWithMwaa) -> Iterator[str]:
    """A database with a table of Airflow's, owned by a role that another is a member of; its DSN as that other."""
    metadata_roles.create_database(aws.postgres, "probed")
    with aws.postgres.administration("probed") as cursor:
        cursor.execute(f"create table dag_run (id int); alter table dag_run owner to {metadata_roles.OWNER}")
    yield aws.postgres.dsn("probed", metadata_roles.USER)
    aws.postgres.drop_database("probed")


def test_the_task_asks_who_it_is_and_whether_it_may_create_a_schema(aws: AwsWithMwaa, database: str) -> None:
    connection = psycopg2.connect(database)
    who = probe_dag.who(connection)
    assert who | {"server": ""} == {
        "user": "airflow_user", "owner": "adminuser", "isMember": True, "mayWrite": True, "server": "",
    }  # fmt: skip
    assert probe_dag.create_schema(connection) == ""
    with aws.postgres.administration() as cursor:
        cursor.execute(f"alter database probed owner to {aws.postgres.user}")
    assert probe_dag.create_schema(connection) == "permission denied for database probed"
    with connection.cursor() as cursor:
        cursor.execute("select 1 from pg_namespace where nspname = %s", (probe_dag.SCHEMA,))
        assert cursor.fetchall() == []
    connection.close()


def test_the_task_finds_how_long_an_idle_connection_lives(database: str) -> None:
    def way() -> Any:
        return psycopg2.connect(database, options="-c idle_session_timeout=700")

    assert probe_dag.idle(way, [0.1, 0.3, 1.5]) == 0.3
    assert probe_dag.idle(lambda: psycopg2.connect(database), [0.1, 0.3]) == 0.3


@pytest.fixture
def worker(database: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """In the environment of a worker of Airflow 3, which has the coordinates; its probe's DAG folder is on the path."""
    monkeypatch.setitem(sys.modules, "mwaa_migrator_doctor_ways", ways_in)
    parameters = psycopg2.extensions.parse_dsn(database)
    for name, key in (("HOST", "host"), ("PORT", "port"), ("DB", "dbname")):
        monkeypatch.setenv(f"POSTGRES_{name}", str(parameters[key]))
    return parameters


def test_the_task_finds_the_way_in_of_a_worker_of_airflow_3(
    worker: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_SECRETS", json.dumps({"username": worker["user"], "password": ""}))
    ways, closed = probe_dag.connect()
    assert list(ways) == ["DB_SECRETS"]
    assert set(closed) == {"Airflow's engine", "MWAA__DB", "IAM token"}
    assert closed["IAM token"] == "USE_IAM_CREDENTIALS is not true"


def test_the_task_finds_the_way_in_by_a_token(worker: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the image's own making, where the password is of no use."""
    monkeypatch.setenv("USE_IAM_CREDENTIALS", "true")
    assert list(probe_dag.connect()[0]) == []
    provider = SimpleNamespace(get_token=lambda: "token")
    image = SimpleNamespace(RDSIAMCredentialProvider=provider)
    for name, module in (("mwaa", ModuleType("mwaa")), ("mwaa.config", ModuleType("mwaa.config"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "mwaa.config.rds_iam_credentials", image)
    assert list(probe_dag.connect()[0]) == ["IAM token"]
