"""Rows that the target has already: kept, overwritten, or a reason to fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from sources.deployment import Deployment
from tests.integration.engine.commands import names
from tests.integration.engine.conftest import SECRETS

#: What the target has in other content than the source: each is one row.
CHANGES = {
    "dag_run": "update dag_run set state = 'failed', clear_number = 7 "
    "where dag_id = 'source_dag_1' and run_id = 'custom__1_3'",
    "task_instance": "update task_instance set hostname = 'mine' "
    "where dag_id = 'source_dag_1' and run_id = 'custom__1_3' and task_id = 'extract'",
    "xcom": r"update xcom set value = '\x00' "
    "where dag_id = 'source_dag_1' and run_id = 'custom__1_3' and task_id = 'extract'",
    "rendered_task_instance_fields": "update rendered_task_instance_fields set rendered_fields = '{}' "
    "where dag_id = 'source_dag_1' and run_id = 'custom__1_3'",
    "task_map": "update task_map set length = 9 where dag_id = 'source_dag_1' and run_id = 'custom__1_3'",
    "task_instance_history": "update task_instance_history set state = 'removed' "
    "where dag_id = 'source_dag_1' and run_id = 'standard__1_2'",
    "slot_pool": "update slot_pool set slots = 99 where pool = 'source_pool'",
    "connection": "update connection set host = 'mine' where conn_id = 'plain'",
}
CHANGED_VALUES = r"""
    with run as (select 'source_dag_1' as dag_id, 'custom__1_3' as run_id)
    select (select state || clear_number from dag_run natural join run),
           (select hostname = 'mine' from task_instance natural join run where task_id = 'extract'),
           (select value = '\x00' from xcom natural join run where task_id = 'extract'),
           (select rendered_fields::text = '{}' from rendered_task_instance_fields natural join run),
           (select length from task_map natural join run),
           (select state from task_instance_history where dag_id = 'source_dag_1' and run_id = 'standard__1_2'),
           (select slots from slot_pool where pool = 'source_pool'),
           (select host from connection where conn_id = 'plain')
"""
MINE = ("failed7", True, True, True, 9, "removed", 99, "mine")


@pytest.fixture(scope="module")
def conflicting(
    new_deployment: Callable[..., Deployment], used_target: Deployment, filled_source: Deployment, artifact: Path
) -> Deployment:
    """A target with the source's runs from an earlier migration, in which people went on working."""
    target = new_deployment(used_target.installation.version, like=used_target)
    target.succeed("import", "--from", str(artifact))
    target.execute("drop schema mwaa_migrator cascade")
    target.execute(";".join(CHANGES.values()))
    token = Fernet(target.fernet_key).encrypt(b"mine").decode()
    target.execute("update variable set val = %s where key = 'plain'", (token,))
    target.execute("update connection set password = %s where conn_id = 'lines'", (token,))
    return target


CHANGED_ROWS = {**dict.fromkeys(CHANGES, 1), "variable": 1, "connection": 2}
SECRETS_IN_CLEAR = """
import json
from airflow.models import Connection, Variable
from airflow.utils.session import create_session
with create_session() as session:
    lines = session.query(Connection).filter(Connection.conn_id == "lines").one()
    print(json.dumps([Variable.get("plain"), lines.password]))
"""


def test_keep(conflicting: Deployment, copy_of: Callable[[Deployment], Deployment], artifact: Path) -> None:
    target = copy_of(conflicting)
    before = target.content()
    tables = target.succeed("import", "--from", str(artifact), "--on-conflict", "keep")["tables"]
    assert {name: tables[name]["kept_differing"] for name in names(tables, "kept_differing")} == CHANGED_ROWS
    assert names(tables, "overwritten") == []
    assert names(tables, "merged") == []
    assert target.content() == before
    assert target.rows(CHANGED_VALUES) == [MINE]
    # What was kept is no fault of the import's; what is changed afterwards would be.
    assert target.succeed("verify", "--from", str(artifact))["verified"]


def test_a_kept_row_excuses_no_other(
    conflicting: Deployment, copy_of: Callable[[Deployment], Deployment], artifact: Path
) -> None:
    """As many rows differ as were kept, but others: verify knows a row by what identifies it."""
    target = copy_of(conflicting)
    target.succeed("import", "--from", str(artifact), "--on-conflict", "keep")
    fernet = Fernet(target.fernet_key)
    target.execute(
        """
        update task_instance t set hostname = other.hostname from task_instance other
         where t.hostname = 'mine' and other.run_id = t.run_id and other.task_id = 'wait';
        update task_instance set hostname = 'changed later' where run_id = 'custom__2_3' and task_id = 'extract';
        update variable set val = %(source)s where key = 'plain';
        update variable set val = %(other)s where key = 'unicode'
        """,
        {"source": fernet.encrypt(SECRETS["plain"].encode()).decode(), "other": fernet.encrypt(b"later").decode()},
    )
    failed = target.run("verify", "--from", str(artifact))
    assert (failed.code, failed.error) == (4, "ContentDiffers")
    tables = failed.result["tables"]
    assert {name for name, table in tables.items() if not table["match"]} == {"task_instance", "variable"}
    assert (tables["task_instance"]["missing"], tables["task_instance"]["differing"]) == (0, 1)
    assert "run_id=custom__2_3" in tables["task_instance"]["examples"][0]
    assert tables["variable"]["secrets_differing"] == ["unicode"]


def test_a_kept_row_that_is_lost_later(
    conflicting: Deployment, copy_of: Callable[[Deployment], Deployment], artifact: Path
) -> None:
    target = copy_of(conflicting)
    target.succeed("import", "--from", str(artifact), "--on-conflict", "keep")
    target.execute("delete from xcom where dag_id = 'source_dag_1' and run_id = 'custom__1_3' and task_id = 'extract'")
    tables = target.run("verify", "--from", str(artifact)).result["tables"]
    assert {name: tables[name]["missing"] for name in names(tables, "missing")} == {"xcom": 1}


def test_overwrite(
    conflicting: Deployment, copy_of: Callable[[Deployment], Deployment], artifact: Path, filled_source: Deployment
) -> None:
    target = copy_of(conflicting)
    counts = target.counts()
    tables = target.succeed("import", "--from", str(artifact), "--on-conflict", "overwrite")["tables"]
    assert {name: tables[name]["overwritten"] for name in names(tables, "overwritten")} == CHANGED_ROWS
    assert names(tables, "kept_differing") == []
    assert target.counts() == counts
    assert target.rows(CHANGED_VALUES) == filled_source.rows(CHANGED_VALUES)
    assert target.python(SECRETS_IN_CLEAR) == filled_source.python(SECRETS_IN_CLEAR)
    verified = target.succeed("verify", "--from", str(artifact))
    assert {
        name for name, table in verified["tables"].items() if table["differing"] or table["secrets_differing"]
    } == set()


@pytest.mark.parametrize("only", ["dag_run", "variable"])
def test_fail(
    only: str, conflicting: Deployment, copy_of: Callable[[Deployment], Deployment], source: Deployment, tmp_path: Path
) -> None:
    target = copy_of(conflicting)
    source.succeed("export", "--to", str(tmp_path), "--tables", only)
    before = target.content()
    failed = target.run("import", "--from", str(tmp_path), "--on-conflict", "fail")
    assert (failed.code, failed.error) == (4, "RowsConflict")
    assert {"dag_run": "custom__1_3", "variable": "plain"}[only] in failed.message
    assert "mine" not in failed.stderr
    assert target.content() == before
    assert target.scratch_schemas() == []


def test_fail_with_nothing_in_conflict(target: Deployment, artifact: Path) -> None:
    target.succeed("import", "--from", str(artifact), "--on-conflict", "fail")


def test_another_run_in_the_place_of_one(
    used_target: Deployment, copy_of: Callable[[Deployment], Deployment], source: Deployment, artifact: Path
) -> None:
    """Of the same DAG and execution date, with another run_id: neither the same run nor free to insert."""
    target = copy_of(used_target)
    at = source.value("select execution_date from dag_run where dag_id = 'source_dag_1' and run_id = 'custom__1_3'")
    target.execute(
        "insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number) "
        "values ('source_dag_1', 'manual__mine', %s, 'success', 'manual', 0)",
        (at,),
    )
    tables = target.succeed("import", "--from", str(artifact))["tables"]
    set_aside = {name: tables[name]["set_aside_reasons"] for name in names(tables, "set_aside")}
    of_the_run = "its task_instance is not in the target"
    assert set_aside == {
        "dag_run": {"the target has another row with the same dag_id, execution_date": 1},
        "task_instance": {"its dag_run is not in the target": 5},
        "rendered_task_instance_fields": {of_the_run: 1},
        "task_map": {of_the_run: 1},
        "xcom": {"its dag_run is not in the target": 4},
        "dag_run_note": {"its dag_run is not in the target": 1},
        "dagrun_dataset_event": {"its dag_run is not in the target": 1},
        "dataset_dag_run_queue": {"its dag is not in the target": 2},
    }
    assert target.rows("select state from dag_run where dag_id = 'source_dag_1' and run_id = 'manual__mine'") == [
        ("success",)
    ]
    assert target.succeed("verify", "--from", str(artifact))["verified"]
    # Rows that were set aside are no reason for others to be missing.
    target.execute("delete from xcom where run_id = 'custom__2_3' and task_id = 'extract'")
    verified = target.run("verify", "--from", str(artifact)).result["tables"]
    assert {name: verified[name]["missing"] for name in names(verified, "missing")} == {"xcom": 1}


def test_times_before_year_1_in_what_differs(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """Python has no such times, and rows are named by them."""
    source.execute(
        "insert into sla_miss (dag_id, task_id, execution_date, description) values "
        "('early', 't', '0001-01-01 00:00:00+01', 'ours')"
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "early")
    target.succeed("import", "--from", str(tmp_path / "early"))
    target.execute("update sla_miss set description = 'theirs' where dag_id = 'early'")
    verified = target.run("verify", "--from", str(tmp_path / "early"))
    assert (verified.code, verified.error) == (4, "ContentDiffers")
    assert "0001-12-31 23:00:00+00 BC" in str(verified.result["tables"]["sla_miss"]["examples"])
    target.execute("drop schema mwaa_migrator cascade")
    failed = target.run("import", "--from", str(tmp_path / "early"), "--on-conflict", "fail")
    assert (failed.code, failed.error) == (4, "RowsConflict")
    assert "0001-12-31 23:00:00+00 BC" in failed.message
