from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from local.installations.postgres import PostgresError, PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="postgres-tests-") as directory,
        PostgresServer(Path(directory) / "data", {"work_mem": "5MB"}) as server,
    ):
        yield server


def query(dsn: str, statement: str) -> object:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
            return None if row is None else row[0]
    finally:
        connection.close()


def test_settings_and_encoding(server: PostgresServer) -> None:
    dsn = server.dsn("postgres")
    assert query(dsn, "SHOW server_version_num") >= "180000"  # type: ignore[operator]
    assert query(dsn, "SHOW fsync") == "off"
    assert query(dsn, "SHOW max_connections") == "200"
    assert query(dsn, "SHOW work_mem") == "5MB"
    assert query(dsn, "SHOW server_encoding") == "UTF8"
    assert query(dsn, "SELECT upper('große ñandú')") == "GROSSE ÑANDÚ".replace("SS", "ß")


def test_databases_are_made_copied_and_dropped(server: PostgresServer) -> None:
    name = 'a "quoted" name/with a slash'
    server.create_database(name)
    connection = psycopg2.connect(server.dsn(name))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 7 AS n")
    connection.close()
    server.create_database("copy", template=name)
    assert query(server.dsn("copy"), "SELECT n FROM kept") == 7

    idle = psycopg2.connect(server.dsn("copy"))
    server.drop_database("copy")
    idle.close()
    server.drop_database("copy")
    with pytest.raises(psycopg2.OperationalError, match='"copy" does not exist'):
        query(server.dsn("copy"), "SELECT 1")


def test_url_is_for_airflow(server: PostgresServer) -> None:
    assert server.url("airflow") == f"postgresql+psycopg2://postgres@127.0.0.1:{server.port}/airflow"
    assert server.url("airflow", user="reader").startswith("postgresql+psycopg2://reader@")


def test_data_outlive_a_stop_and_a_lost_owner(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with PostgresServer(directory) as server:
        server.create_database("kept")
    with pytest.raises(PostgresError, match="not running"):
        server.url("kept")

    start_and_die = (
        "import os, sys; from pathlib import Path; from local.installations.postgres import PostgresServer;"
        "PostgresServer(Path(sys.argv[1])).start(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", start_and_die, str(directory)], check=False)
    left_behind = ("127.0.0.1", int((directory / "postmaster.pid").read_text().splitlines()[3]))
    socket.create_connection(left_behind).close()
    with PostgresServer(directory) as server:
        assert query(server.dsn("kept"), "SELECT 1") == 1
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(left_behind)


def test_stops_at_the_interpreters_exit(tmp_path: Path) -> None:
    start_and_forget = (
        "import sys; from pathlib import Path; from local.installations.postgres import PostgresServer;"
        "PostgresServer(Path(sys.argv[1])).start()"
    )
    subprocess.run([sys.executable, "-c", start_and_forget, str(tmp_path / "data")], check=True)
    assert not (tmp_path / "data" / "postmaster.pid").exists()


def test_servers_side_by_side(server: PostgresServer, tmp_path: Path) -> None:
    with PostgresServer(tmp_path / "data") as other:
        assert other.port != server.port
        assert query(other.dsn("postgres"), "SHOW data_directory") != query(
            server.dsn("postgres"), "SHOW data_directory"
        )


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="shared_buffers"):
        PostgresServer(tmp_path / "data", {"shared_buffers": "plenty"}).start()
