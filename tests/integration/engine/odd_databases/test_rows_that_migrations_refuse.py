"""Rows that Airflow's migrations do not take: named at the export, or set aside and counted. Nothing fails later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.deployment import Deployment

CONNECTIONS = """
    insert into connection (conn_id, conn_type, host) values
      ('hive_cli', 'hive_cli', 'node-1'), ('hive_cli', 'hive_cli', 'node-2'), ('typeless', null, 'node-3')
"""
XCOMS = """
    insert into dag_run (dag_id, run_id, execution_date) values ('d', 'r', '2020-01-01');
    insert into task_instance (dag_id, task_id, execution_date, pool) values ('d', 't', '2020-01-01', 'default_pool');
    insert into xcom (dag_id, task_id, execution_date, key, value, timestamp) values
      ('d', 't', '2020-01-01', 'k', 'older', '2020-01-02'), ('d', 't', '2020-01-01', 'k', 'newest', '2020-01-03')
"""
NUL = r"""
    insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
      select id, dag_id, run_id, 't', -1, 'k', convert_to('{"name": "Foo\u0000bar"}', 'UTF8'), now()
        from dag_run where run_id = 'r1'
"""
NO_PRIMARY_KEY = "alter table task_instance drop constraint task_instance_pkey cascade"


@pytest.mark.parametrize(
    ("version", "rows", "options", "error", "says"),
    [
        (
            "1.10.12", CONNECTIONS, [], "MigrationWouldFail",
            ["connection (hive_cli node-2 ", "1 rows of connection (typeless ", "--set-aside duplicates,nulls"],
        ),
        ("2.10.3", NUL, ["--target-version", "3.2.1"], "MigrationWouldFail", ["1 rows of xcom (d t r1 -1 k)", "NUL"]),
        (
            "2.4.3", NO_PRIMARY_KEY, [], "PrimaryKeyMissing",
            ["task_instance", "ADD PRIMARY KEY (dag_id, task_id, run_id, map_index)"],
        ),
    ],
    ids=["duplicates and nulls", "nul", "primary key"],
)  # fmt: skip
def test_refused(
    version: str,
    rows: str,
    options: list[str],
    error: str,
    says: list[str],
    odd: Callable[..., Deployment],
    tmp_path: Path,
) -> None:
    source = odd(version, *(["history"] if version == "2.10.3" else []))
    source.execute(rows)
    refused = source.run("export", "--to", str(tmp_path), *options)
    assert (refused.code, refused.error) == (3, error)
    assert [text for text in says if text not in refused.message] == []
    assert not list(tmp_path.rglob("manifest.json"))


def test_set_aside(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    """The older of two XComs, which no task reads, goes aside in any case."""
    source, target = odd("1.10.12"), odd("2.11.2")
    source.execute(CONNECTIONS + ";" + XCOMS)
    exported = source.succeed("export", "--to", str(tmp_path), "--set-aside", "duplicates,nulls")
    assert sorted((aside["table"], aside["kind"], aside["rows"]) for aside in exported["set_aside"]) == [
        ("connection", "duplicates", 1),
        ("connection", "nulls", 1),
        ("xcom", "duplicates", 1),
    ]
    target.succeed("import", "--from", str(tmp_path))
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    assert target.rows("select conn_id, host from connection") == [("hive_cli", "node-1")]
    assert target.rows("select convert_from(value, 'UTF8') from xcom") == [("newest",)]


def test_what_airflow_3_would_not_take_is_named(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    source = odd("2.10.3", "history")
    source.execute(NUL)
    exported = source.run("export", "--to", str(tmp_path), "--id", "a")
    assert exported.code == 0
    assert "an upgrade to Airflow 3 would fail: 1 rows of xcom (d t r1 -1 k)" in exported.stderr
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    (refused,) = manifest["refused_by_airflow_3"]
    assert (refused["table"], refused["examples"]) == ("xcom", ["d t r1 -1 k"])
