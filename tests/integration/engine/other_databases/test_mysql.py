from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.installations.mariadb import MariaDBServer
from sources.deployment import Deployment
from sources.other_deployment import OtherDeployment
from tests.integration.engine.other_databases.artifacts import import_and_verify, require_same

#: Columns that Airflow 2.0 to 2.2 make on MySQL without a fraction of seconds.
WHOLE_SECONDS = ("last_parsed_time", "queued_at", "created_date")


@pytest.mark.parametrize("version", ["1.10.12", "2.2.2", "2.6.3", "2.10.3"])
def test_the_artifact_is_that_of_postgresql(
    version: str,
    postgres_source: Callable[[str], Deployment],
    mariadb_source: Callable[[str], OtherDeployment],
    tmp_path: Path,
) -> None:
    for name, source in (("mariadb", mariadb_source(version)), ("postgres", postgres_source(version))):
        source.succeed("export", "--to", str(tmp_path), "--id", name)
    require_same(tmp_path / "mariadb", tmp_path / "postgres", single_precision=True, whole_seconds=WHOLE_SECONDS)


@pytest.mark.parametrize(("version", "target"), [("1.10.12", "2.11.2"), ("2.10.3", "3.2.1")])
def test_it_arrives(
    version: str,
    target: str,
    mariadb_source: Callable[[str], OtherDeployment],
    new_deployment: Callable[..., Deployment],
    tmp_path: Path,
) -> None:
    source = mariadb_source(version)
    assert source.succeed("check", "--target-version", target)["ready"]
    source.succeed("export", "--to", str(tmp_path), "--target-version", target)
    import_and_verify(tmp_path, new_deployment(target))


@pytest.mark.parametrize("cut", [("--days", "30"), ("--dags", "outcomes|mapped|daily")])
def test_it_is_cut_as_postgresql_is(
    cut: tuple[str, str],
    postgres_source: Callable[[str], Deployment],
    mariadb_source: Callable[[str], OtherDeployment],
    tmp_path: Path,
) -> None:
    for name, source in (("mariadb", mariadb_source("2.10.3")), ("postgres", postgres_source("2.10.3"))):
        source.succeed("export", "--to", str(tmp_path), "--id", name, *cut)
    require_same(tmp_path / "mariadb", tmp_path / "postgres", single_precision=True)


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def source(
    mariadb_source: Callable[[str], OtherDeployment], mariadb_server: MariaDBServer, numbers: Iterator[int]
) -> Iterator[OtherDeployment]:
    """A copy, to be changed."""
    original, copy = mariadb_source("2.10.3"), f"copy_{next(numbers)}"
    mariadb_server.copy_database(database_of(original), copy)
    yield replace(original, url=mariadb_server.url(copy))
    mariadb_server.execute(f"drop database {copy}; set global read_only = 0; set global max_allowed_packet = 16777216")


def database_of(source: OtherDeployment) -> str:
    return source.url.rpartition("/")[2].partition("?")[0]


def change(server: MariaDBServer, source: OtherDeployment, statements: str) -> None:
    """As nobody should: without strictness, and without foreign keys."""
    server.execute(f"set sql_mode = ''; set foreign_key_checks = 0; {statements}", database_of(source))


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        ("update dag_run set execution_date = 0 limit 1", "execution_date is no timestamp with time zone"),
        (
            "alter table dag_run modify start_date datetime(6); update dag_run set start_date = '2024-00-10' limit 1",
            "start_date is no timestamp with time zone",
        ),
        ("update log set extra = concat('a', char(0), 'b') limit 1", "extra is no text"),
        (
            "alter table log modify event longtext; update log set event = repeat('e', 61) limit 1",
            "event is no character",
        ),
        ("alter table slot_pool modify slots bigint; update slot_pool set slots = 3000000000", "slots is no integer"),
    ],
)
def test_a_value_that_postgresql_does_not_take_is_named(
    statements: str, named: str, source: OtherDeployment, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    change(mariadb_server, source, statements)
    refused = source.run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "MigrationWouldFail")
    assert named in refused.message
    exported = source.succeed("export", "--to", str(tmp_path), "--set-aside", "values")
    assert named in exported["set_aside"][0]["reason"]


def test_odd_values_keep_their_meaning(source: OtherDeployment, mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    """A zero date is NULL, 2 is true, and a table in latin1 or utf8mb3 has no other characters than before."""
    change(
        mariadb_server,
        source,
        """
        update dag_run set queued_at = 0, external_trigger = 2 where dag_id = 'daily';
        alter table variable convert to character set latin1; update variable set description = 'Grüße' limit 1;
        alter table slot_pool convert to character set utf8mb3; update slot_pool set description = 'Łódź' limit 1;
        """,
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "a")
    text = {
        table: gzip.decompress((tmp_path / "a" / "tables" / table / "0000-0000.copy.gz").read_bytes()).decode()
        for table in ("dag_run", "variable", "slot_pool")
    }
    assert "0000-00-00" not in text["dag_run"]
    assert "Grüße" in text["variable"]
    assert "Łódź" in text["slot_pool"]


def test_names_that_a_collation_makes_equal_are_not_joined(
    source: OtherDeployment, mariadb_server: MariaDBServer, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    change(
        mariadb_server,
        source,
        """
        alter table xcom drop foreign key xcom_task_instance_fkey;
        alter table xcom modify dag_id varchar(250) character set utf8mb3 collate utf8mb3_general_ci not null;
        update xcom set dag_id = 'OUTCOMES' where dag_id = 'outcomes' limit 1;
        """,
    )
    checked = source.succeed("check")
    assert any("1 row of xcom whose task_instance is missing" in line for line in checked["without_parent"])
    source.succeed("export", "--to", str(tmp_path))
    import_and_verify(tmp_path, new_deployment("2.11.2"))


def test_a_table_without_transactions_is_refused(
    source: OtherDeployment, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    change(mariadb_server, source, "alter table job engine = MyISAM")
    for command in (("check",), ("export", "--to", str(tmp_path))):
        refused = source.run(*command)
        assert (refused.code, refused.error) == (3, "DatabaseNotSupported")
        assert "ALTER TABLE `job` ENGINE = InnoDB;" in refused.message


def test_a_read_only_replica_and_a_user_who_may_only_read(
    source: OtherDeployment, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    name = database_of(source)
    mariadb_server.execute(
        f"create user if not exists reader@'127.0.0.1'; grant select on {name}.* to reader@'127.0.0.1'"
    )
    mariadb_server.execute("set global read_only = 1")
    reader = replace(source, url=mariadb_server.url(name, "reader"))
    assert reader.succeed("export", "--to", str(tmp_path))["tables"]["dag_run"]["rows"]


def test_a_missing_right_is_named(source: OtherDeployment, mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    name = database_of(source)
    mariadb_server.execute(
        f"create user if not exists partly@'127.0.0.1'; grant select on {name}.alembic_version to partly@'127.0.0.1'"
    )
    refused = replace(source, url=mariadb_server.url(name, "partly")).run("export", "--to", str(tmp_path))
    assert refused.code == 3
    assert refused.error in ("MissingRight", "AirflowTablesMissing")


def test_a_large_xcom_and_small_packets(
    source: OtherDeployment, mariadb_server: MariaDBServer, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    mariadb_server.execute("set global max_allowed_packet = 134217728")
    change(
        mariadb_server,
        source,
        "update xcom set value = concat('\"', repeat('x', 50000000), '\"') where task_id = 'succeeds' limit 1",
    )
    mariadb_server.execute("set global max_allowed_packet = 1048576")
    source.succeed("export", "--to", str(tmp_path), "--tables", "dag,dag_run,task_instance,xcom")
    target = new_deployment("2.11.2")
    import_and_verify(tmp_path, target)
    assert target.value("select max(octet_length(value)) from xcom") == 50_000_002


def test_no_server(source: OtherDeployment, tmp_path: Path) -> None:
    nowhere = replace(source, url="mysql+pymysql://airflow@127.0.0.1:1/airflow")
    refused = nowhere.run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "DatabaseUnreachable")
