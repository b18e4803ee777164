"""What stands in front of the environments' metadata databases: who gets in, for how long, and as whom."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import psycopg2
import pytest
import urllib3

from local.installations import metadata_roles
from local.installations.postgres import PostgresServer
from local.mwaa.database_proxy import DatabaseProxy, DatabaseProxySettings
from local.mwaa.shim.mwaa.config import rds_iam

SETTINGS = DatabaseProxySettings("some secret", token_seconds=3, idle_seconds=1, linger_seconds=2)
Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="proxy-tests-") as directory,
        PostgresServer(Path(directory) / "data") as server,
    ):
        metadata_roles.create_database(server, "AirflowMetadata")
        yield server


@pytest.fixture(scope="module")
def proxy(server: PostgresServer) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(SETTINGS)
    proxy.start(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def connect(proxy: DatabaseProxy) -> Connect:
    def connect(user: str, password: str, **parameters: Any) -> Any:
        connection = psycopg2.connect(
            host=proxy.host, port=proxy.port, dbname="AirflowMetadata", user=user, password=password, **parameters
        )
        connection.autocommit = True
        return connection

    return connect


@pytest.fixture
def token(proxy: DatabaseProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in proxy.token_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rds_iam, "_kept", ("", 0.0, 0.0))
    return str(rds_iam.token())


def value(connection: Any, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_a_token_is_for_new_connections_and_for_a_short_time(connect: Connect, token: str) -> None:
    with closing(connect("airflow_user", token)) as session:
        end = time.monotonic() + SETTINGS.token_seconds
        while time.monotonic() < end:
            assert value(session, "select current_user || ' ' || 1") == "airflow_user 1"
            time.sleep(SETTINGS.idle_seconds / 4)
        with pytest.raises(psycopg2.OperationalError, match='password authentication failed for user "airflow_user"'):
            connect("airflow_user", token)
        assert value(session, "select 2") == 2
    assert rds_iam.token() != token


@pytest.mark.parametrize(
    ("user", "password"), [("airflow_user", "some secret"), ("adminuser", "rotated"), ("postgres", "some secret")]
)
def test_nobody_else_gets_in(connect: Connect, user: str, password: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(user, password)


def test_whoever_makes_tokens_knows_no_password(proxy: DatabaseProxy) -> None:
    given = proxy.token_variables()
    parsed = urlparse(given["ECS_CONTAINER_METADATA_URI"])
    address = f"{parsed.scheme}://{parsed.netloc}"
    served = urllib3.request("GET", address + given["AWS_TASK_EXEC_CREDENTIALS_RELATIVE_URI"])
    assert (served.status, set(served.json())) == (200, {"SecretAccessKey", "TokenSeconds"})
    assert "some secret" not in str(given) + served.data.decode()
    assert urllib3.request("GET", address + "/v2/credentials/others").status == 404


def test_startup_options_are_refused(connect: Connect, token: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="doesn't support command-line options"):
        connect("airflow_user", token, options="-csearch_path=other")


def test_an_idle_client_is_disconnected_and_one_that_waits_is_not(connect: Connect, token: str) -> None:
    session = connect("airflow_user", token)
    assert value(session, "select 1 from pg_sleep(1.5)") == 1
    time.sleep(1.5)
    with pytest.raises(psycopg2.OperationalError):
        value(session, "select 1")


def test_the_user_owns_nothing(connect: Connect, server: PostgresServer, token: str) -> None:
    with closing(connect("adminuser", "some secret")) as owner, owner.cursor() as cursor:
        cursor.execute("create table dag (dag_id text)")
    with closing(connect("airflow_user", token)) as session, session.cursor() as cursor:
        assert value(session, "select count(*) from pg_class where relowner = current_user::regrole") == 0
        assert value(session, "select not rolsuper from pg_roles where rolname = current_user")
        assert value(session, "select nspowner::regrole::text from pg_namespace where nspname = 'public'") == "postgres"
        # What it may do, it may as a member of the owner.
        cursor.execute("alter table dag add column is_paused boolean; create schema scratch; drop schema scratch")
    metadata_roles.copy_database(server, "AirflowMetadata", "copy")
    with server.administration("copy") as cursor:
        cursor.execute("select datdba::regrole::text from pg_database where datname = current_database()")
        assert cursor.fetchone() == ("adminuser",)
