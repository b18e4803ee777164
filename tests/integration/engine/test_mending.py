"""Rows that Airflow 3's migrations do not take, or change: on the direct way, and before a hop."""

from __future__ import annotations

import base64
import datetime
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mwaa_migrator.airflow_schema.airflow_json import airflow_json
from mwaa_migrator.airflow_schema.silent_changes import SILENT_CHANGES
from mwaa_migrator.wording import listed

from local.installations import airflow_installation
from sources.deployment import Deployment
from tests.integration.engine.commands import eventually, kill
from tests.integration.engine.test_tasks import call, result

VERSIONS = ["3.0.6", "3.2.1", "3.3.1"]


class Writes:
    """Its pickle writes a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "written")


#: XComs by their keys: what the source has, and what Airflow 3 has of it.
JSON: dict[str, tuple[bytes, Any]] = {
    "empty": (b"", None),
    "nul": (rb'{"name": "Foo\u0000bar"}', None),
    "half": (rb'"\ud800"', None),
    "no utf-8": (b'"\xff"', None),
    "deep": (b"[" * 20000 + b"]" * 20000, None),
    "large": (b'{"a": 1e200000}', {"a": "Infinity"}),
    "nan": (b'{"a": NaN, "b": [-Infinity, 1]}', {"a": "NaN", "b": ["-Infinity", 1]}),
    "nan in text": (b'"see [NaN, x]"', "see [NaN, x]"),
    "encoded twice": (rb'"{\"a\": NaN}"', '{"a": NaN}'),
    "no json": (b"s3://bucket/key", "s3://bucket/key"),
    "clean": (rb'{"b": [1, "\u00e4 \ud83d\ude00"], "a": 1.50}', {"a": 1.5, "b": [1, "ä 😀"]}),
}
DATE = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
PICKLED: dict[str, Any] = {
    "pickled dict": {"a": [1, None, True], "b": {"c": 1e23}},
    "pickled tuple": (1, {"a": {2}}, frozenset(["[NaN]"]), DATE, Decimal("1.10")),
}
ARCHIVED: dict[str, Any] = {"pickled bytes": b"bytes", "pickled key": {1: 2}, "pickled nan": [float("nan")]}

CONFS: dict[str, tuple[Any, Any]] = {
    "conf plain": ({"a": [1, "ä"]}, {"a": [1, "ä"]}),
    "conf nan": ({"a": float("nan")}, {"a": "NaN"}),
    "conf nul": ({"a": "\0"}, None),
}

#: A row for each silent change, beside a variable without a value, which the source has.
SILENTLY_CHANGED = [
    "update log set event = null where id = (select min(id) from log)",
    "update slot_pool set slots = null where pool = (select max(pool) from slot_pool)",
    "update task_instance set try_number = null where ctid = (select min(ctid) from task_instance)",
    "update task_instance set max_tries = null where ctid = (select max(ctid) from task_instance)",
    "insert into variable (key, val, is_encrypted) values (null, 'of no key', false)",
]


@pytest.fixture
def odd_source(source: Deployment, tmp_path: Path) -> Deployment:
    """2.10.3 with a row of each kind, and a conf and an XCom whose pickles write a file where they are loaded."""
    run, number = source.rows("select run_id, id from dag_run where dag_id = 'source_dag_1' order by id limit 1")[0]
    values = {key: data for key, (data, _) in JSON.items()}
    values |= {key: pickle.dumps(value) for key, value in (PICKLED | ARCHIVED).items()}
    values["writes"] = pickle.dumps(Writes(tmp_path / "written"))
    insert = (
        "insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp) "
        "values (%s, 'load', 0, %s, 'source_dag_1', %s, %s, now())"
    )
    for key, data in values.items():
        source.execute(insert, (number, key, run, data))
    for key, conf in {
        **{key: conf for key, (conf, _) in CONFS.items()},
        "conf writes": Writes(tmp_path / "written"),
    }.items():
        source.execute(
            "insert into dag_run (dag_id, run_id, run_type, execution_date, state, conf, clear_number) values "
            "('odd', %s, 'manual', now() + random() * interval '1 day', 'success', %s, 0)",
            (key, pickle.dumps(conf)),
        )
    for statement in SILENTLY_CHANGED:
        source.execute(statement)
    return source


def check(target: Deployment, tmp_path: Path) -> None:
    """What Airflow 3 has of the odd source."""
    found = dict(
        target.rows("select key, value from xcom where task_id = 'load' and map_index = 0 and key not like 'bytes%%'")
    )
    assert {key: found.pop(key) for key in JSON} == {key: value for key, (_, value) in JSON.items()}
    assert set(found) == set(PICKLED)
    assert as_airflow_reads(target, list(found.values())) == [PICKLED[key] for key in found]
    archived = {key for (key,) in target.rows("select key from _xcom_archive")}
    assert archived == {*ARCHIVED, "writes"}
    confs = dict(target.rows("select run_id, conf from dag_run where dag_id = 'odd'"))
    assert confs == {**{key: plain for key, (_, plain) in CONFS.items()}, "conf writes": None}
    assert not (tmp_path / "written").exists()
    if target.installation.release >= (3, 2):
        for change in SILENT_CHANGES:
            assert not target.value(f"select count(*) from {change.table} t where {change.condition}"), change


READ = """
import base64, datetime, json, pickle
from types import SimpleNamespace
from airflow.sdk.bases.xcom import BaseXCom

def plain(value):
    if isinstance(value, datetime.datetime) and value.tzinfo:
        assert type(value) is datetime.datetime
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, dict):
        return {{key: plain(one) for key, one in value.items()}}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(plain(one) for one in value)
    return value

read = [BaseXCom.deserialize_value(SimpleNamespace(value=value)) for value in json.loads({values!r})]
print(json.dumps(base64.b64encode(pickle.dumps(plain(read))).decode()))
"""


def as_airflow_reads(deployment: Deployment, values: list[Any]) -> list[Any]:
    """What a task of this Airflow 3 gets. It makes times with zones of pendulum's; these are in UTC."""
    printed = deployment.new_python(READ.format(values=json.dumps(values)))
    return list(pickle.loads(base64.b64decode(printed)))


def foretold(checked: dict[str, Any]) -> set[str]:
    """What a check says of the rows that will change, in the words of an import, but for pickled XComs."""
    what = {"xcom": "XCom", "dag_run": "run"}
    return {
        f"{row['rows']} {what.get(row['table'], 'row')}{'s' if row['rows'] > 1 else ''} "
        f"{'' if row['table'] in what else 'of ' + row['table'] + ' '}"
        f"({listed(row['examples'], row['rows'])}): {row['reason']}"
        for row in checked["will_change"]
        if "pickled" not in row["reason"]
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_directly(
    version: str, odd_source: Deployment, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    content = odd_source.content()
    checked = odd_source.succeed("check", "--target-version", version)
    assert odd_source.content() == content
    odd_source.succeed("export", "--to", str(tmp_path), "--id", "odd", "--target-version", version)
    target = new_deployment(version)
    imported = target.succeed("import", "--from", str(tmp_path / "odd"))
    check(target, tmp_path)
    assert foretold(checked) == {line for line in imported["changed_values"] if "pickled" not in line}
    assert [row["rows"] for row in checked["will_change"] if "pickled" in row["reason"]] == [
        len(PICKLED) + len(ARCHIVED) + 1
    ]
    assert (checked["ready"], checked["not_examined"]) == (True, [])
    assert target.succeed("verify", "--from", str(tmp_path / "odd"))["verified"]
    assert_told(imported["changed_values"], version)


def assert_told(lines: list[str], version: str) -> None:
    told = "\n".join(lines)
    for text in (
        "because it holds nothing at all", "because it holds a NUL character", "because it holds half a character",
        "because it holds bytes that are no text", "because it holds containers nested too deeply",
        "their value has NaN or Infinity, which is text now", "was no JSON, and is a text now",
        "2 XComs (source_dag_1 load", "because it holds a value of type bytes", "because it holds a key of type int",
        "because it holds an object (pathlib", "1 run (odd conf nul): their conf was cleared",
        "1 run (odd conf writes): their conf was cleared", "1 run (odd conf nan)",
    ):  # fmt: skip
        assert text in told, (text, told)
    silent = [line for line in lines if line.endswith(tuple(change.reason for change in SILENT_CHANGES))]
    assert len(silent) == (0 if version == "3.0.6" else len(SILENT_CHANGES)), silent
    assert any(line.startswith("1 row of variable (none): ") for line in silent) == bool(silent)


def test_before_a_hop(odd_source: Deployment, target: Deployment, tmp_path: Path, homes: Path) -> None:
    odd_source.succeed("export", "--to", str(tmp_path), "--id", "odd", "--target-version", "3.2.1")
    target.succeed("import", "--from", str(tmp_path / "odd"))
    rows = (
        "select key, value from xcom where task_id = 'load' and map_index = 0 and key not like 'bytes%%' order by key"
    )
    assert target.rows(rows) == odd_source.rows(rows)
    assert target.succeed("verify", "--from", str(tmp_path / "odd"))["verified"]
    before = target.counts()
    assert call(target, "verify", tmp_path / "odd", hopVersion="3.2.1") is None
    assert_told(result(tmp_path / "odd", "verify")["changed_for_hop"], "3.2.1")
    assert target.counts() == before
    # As often as wanted: nothing is left to be changed but what Airflow changes.
    again = target.succeed("prepare-hop", "--to-version", "3.2.1")["changed_for_hop"]
    assert [line for line in again if "stays pickled" not in line and "Airflow's migrations" not in line] == []
    verified = target.succeed("verify", "--from", str(tmp_path / "odd"))
    assert verified["verified"], verified
    installation = airflow_installation.install("3.2.1")
    upgraded = target.having(installation=installation, home=homes / "3.2.1", user=None)
    installation.migrate_database(upgraded.environment())
    check(upgraded, tmp_path)


def test_killed_before_a_hop(odd_source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """What it had mended goes with it, nobody keeps the import's lock, and the next one mends all of it."""
    odd_source.succeed("export", "--to", str(tmp_path), "--id", "odd", "--target-version", "3.2.1")
    target.succeed("import", "--from", str(tmp_path / "odd"))
    before = target.content()
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with target.cursor() as cursor:
        # It has mended the XComs, and its transaction waits for the runs.
        cursor.execute("lock table dag_run in share mode")
        process = target.start("prepare-hop", "--to-version", "3.2.1")
        eventually(lambda: target.value(waiting) == 1, 60)
        kill(process)
        eventually(lambda: target.value(waiting) == 0)
    assert target.content() == before
    assert_told(target.succeed("prepare-hop", "--to-version", "3.2.1")["changed_for_hop"], "3.2.1")
    assert target.succeed("verify", "--from", str(tmp_path / "odd"))["verified"]


#: Values that Airflow's JSON can hold, each to be read as equal by each Airflow 3.
VALUES: list[Any] = [
    None, True, "ä 😀 [NaN] \\ \n \"Infinity\"", 10**40, -1.5, 1e23, 1e-300, 1.7976931348623157e308, 0.1 + 0.2,
    [], {}, (), set(), frozenset(), [[[{"a": [(1, 2), {3, 4}]}]]], {"a": {"b": (1,)}, "type": "x", "data": 1},
    {(1, frozenset([2])), "x"}, Decimal("1.10"), Decimal("1E+20"), Decimal("-0.12345678901234567890123456789"),
    datetime.date(1, 1, 1), datetime.date(2026, 12, 31), datetime.timedelta(days=-3, microseconds=1),
    datetime.timedelta(days=3), DATE, datetime.datetime(1900, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone(-datetime.timedelta(hours=8))),
    datetime.datetime(2026, 7, 1, 12, 0, 0, 1),  # noqa: DTZ001 - as DAGs have them
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_airflow_reads_values_equal_to_those_written(
    version: str, empty_target: Deployment, new_deployment: Callable[..., Deployment]
) -> None:
    texts = [airflow_json(value, 10000) for value in VALUES]
    values = [empty_target.value("select %s::jsonb", (text,)) for text in texts]
    assert as_airflow_reads(new_deployment(version), values) == VALUES
