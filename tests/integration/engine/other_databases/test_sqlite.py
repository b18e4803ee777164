from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sources.deployment import Deployment
from sources.other_deployment import OtherDeployment
from tests.integration.engine.other_databases.artifacts import import_and_verify, require_same


@pytest.mark.parametrize("version", ["1.10.12", "2.2.2", "2.6.3", "2.10.3"])
def test_the_artifact_is_that_of_postgresql(
    version: str,
    postgres_source: Callable[[str], Deployment],
    sqlite_source: Callable[[str], OtherDeployment],
    tmp_path: Path,
) -> None:
    """The schema, which is what that Airflow makes on PostgreSQL, and each value of each row."""
    for name, source in (("sqlite", sqlite_source(version)), ("postgres", postgres_source(version))):
        source.succeed("export", "--to", str(tmp_path), "--id", name)
    require_same(tmp_path / "sqlite", tmp_path / "postgres")


@pytest.mark.parametrize(("version", "target"), [("1.10.12", "2.11.2"), ("2.6.3", "2.11.2"), ("2.10.3", "3.2.1")])
def test_it_arrives(
    version: str,
    target: str,
    sqlite_source: Callable[[str], OtherDeployment],
    new_deployment: Callable[..., Deployment],
    tmp_path: Path,
) -> None:
    source = sqlite_source(version)
    checked = source.succeed("check", "--target-version", target)
    assert checked["ready"]
    exported = source.succeed("export", "--to", str(tmp_path), "--target-version", target)
    assert {name: table["rows"] for name, table in checked["tables"].items()} == {
        name: table["rows"] for name, table in exported["tables"].items()
    }
    import_and_verify(tmp_path, new_deployment(target))


@pytest.mark.parametrize("cut", [("--days", "30"), ("--dags", "outcomes|mapped|daily"), ("--tables", "dag_run,xcom")])
def test_it_is_cut_as_postgresql_is(
    cut: tuple[str, str],
    postgres_source: Callable[[str], Deployment],
    sqlite_source: Callable[[str], OtherDeployment],
    tmp_path: Path,
) -> None:
    for name, source in (("sqlite", sqlite_source("2.10.3")), ("postgres", postgres_source("2.10.3"))):
        source.succeed("export", "--to", str(tmp_path), "--id", name, *cut)
    require_same(tmp_path / "sqlite", tmp_path / "postgres")


@pytest.fixture
def source(sqlite_source: Callable[[str], OtherDeployment], tmp_path: Path) -> OtherDeployment:
    """A copy, to be changed."""
    original = sqlite_source("2.10.3")
    copy = tmp_path / "copy.db"
    copy.write_bytes(file_of(original).read_bytes())
    return replace(original, url=f"sqlite:///{copy}")


def file_of(source: OtherDeployment) -> Path:
    return Path(source.url.removeprefix("sqlite:///"))


def change(source: OtherDeployment, statement: str) -> None:
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("update task_instance set try_number = 'many' where task_id = 'succeeds'", "try_number is no integer"),
        ("update dag_run set start_date = '2024-02-31 10:00:00'", "start_date is no timestamp with time zone"),
        ("update dag_run set start_date = 'yesterday'", "start_date is no timestamp with time zone"),
        ("update log set event = printf('%070d', 1)", "event is no character varying(60)"),
        ("update log set extra = 'a' || char(0) || 'b' where id = 1", "extra is no text"),
        ("update log set extra = cast(x'ff41' as text) where id = 1", "extra is no text"),
        ("update slot_pool set slots = 3000000000", "slots is no integer"),
        ("update slot_pool set include_deferred = 'perhaps'", "include_deferred is no boolean"),
        ("update task_instance set next_kwargs = '{\"a\": NaN}'", "next_kwargs is no json"),
    ],
)
def test_a_value_that_postgresql_does_not_take_is_named(
    statement: str, named: str, source: OtherDeployment, tmp_path: Path
) -> None:
    change(source, statement)
    refused = source.run("export", "--to", str(tmp_path / "artifacts"))
    assert (refused.code, refused.error) == (3, "MigrationWouldFail")
    assert named in refused.message
    assert list(tmp_path.rglob("*.copy.gz")) == []
    checked = source.run("check")
    assert not checked.result["ready"]
    assert named in checked.result["refused"][0]["reason"]
    exported = source.succeed("export", "--to", str(tmp_path / "artifacts"), "--set-aside", "values")
    assert named in exported["set_aside"][0]["reason"]


def test_rows_that_a_lost_key_let_in_are_named(source: OtherDeployment, tmp_path: Path) -> None:
    change(source, "create table again as select * from variable")
    change(source, "drop table variable")
    change(source, "alter table again rename to variable")
    change(source, "insert into variable select * from variable where key = 'text_quotes'")
    refused = source.run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "MigrationWouldFail")
    assert "text_quotes" in refused.message
    exported = source.succeed("export", "--to", str(tmp_path), "--set-aside", "duplicates")
    assert [rows["table"] for rows in exported["set_aside"]] == ["variable", "variable"]


def test_a_database_that_is_written_meanwhile(source: OtherDeployment, tmp_path: Path) -> None:
    """A writer that holds its lock is waited for, and the rows are those of one instant."""
    with closing(sqlite3.connect(file_of(source), isolation_level=None)) as connection:
        connection.execute("begin immediate")
        connection.execute("insert into variable (key, val) values ('not committed', 'x')")
        exported = source.succeed("export", "--to", str(tmp_path))
        connection.execute("rollback")
    assert exported["tables"]["variable"]["rows"] == rows(source, "variable")


def rows(source: OtherDeployment, table: str) -> int:
    with closing(sqlite3.connect(file_of(source))) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def test_a_large_xcom_arrives(
    source: OtherDeployment, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    change(source, "update xcom set value = '\"' || hex(zeroblob(5000000)) || '\"' where task_id = 'succeeds'")
    source.succeed("export", "--to", str(tmp_path), "--tables", "dag,dag_run,task_instance,xcom")
    import_and_verify(tmp_path, new_deployment("2.11.2"))


def test_no_file(source: OtherDeployment, tmp_path: Path) -> None:
    refused = replace(source, url=f"sqlite:///{tmp_path}/elsewhere.db").run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "DatabaseUnreachable")


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--as-base", "--to", "artifacts"),
        ("prepare-hop", "--to-version", "3.2.1"),
        ("agent", "--check", "--exchange", "s3://bucket", "--migration", "m"),
    ],
)
def test_what_needs_postgresql(command: tuple[str, ...], source: OtherDeployment) -> None:
    refused = source.run(*command)
    assert (refused.code, refused.error) == (3, "DatabaseNotSupported")
