"""The check before an export: it finds what an export would be refused for, and what its rows will need."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sources.deployment import Deployment, outcome
from tests.integration.engine.commands import eventually

UNREADABLE = "insert into variable (key, val, is_encrypted) values ('lost', 'gAAAAAof-a-key-that-is-gone', true)"
LONG = "update dataset set uri = repeat('u', 1501) where id = (select min(id) from dataset)"
ORPHAN = "set local session_replication_role = replica; delete from dag_run where id = (select min(id) from dag_run)"


def test_nothing_stands_in_the_way(filled_source: Deployment) -> None:
    before = filled_source.content()
    told = filled_source.succeed("check")
    assert told["ready"]
    assert (told["revision"], told["schema"], told["problems"]) == ("5f2621c13b39", "public", [])
    counts = filled_source.counts()
    assert {name: table["rows"] for name, table in told["tables"].items()} == {
        name: counts[name] for name in told["tables"]
    }
    assert told["unfinished"]["dag_runs"] > 0
    assert told["estimate"]["disk_bytes"] >= 2 * told["tables"]["task_instance"]["bytes"]
    assert told["without_parent"] == []
    assert filled_source.content() == before


def test_all_problems_at_once(source: Deployment) -> None:
    source.execute(f"{UNREADABLE}; {LONG}; {ORPHAN}")
    done = source.run("check", "--target-version", "3.2.1")
    assert (done.code, done.error) == (3, "MigrationWouldFail")
    assert "Traceback" not in done.stderr
    assert [problem["name"] for problem in done.result["problems"]] == ["MigrationWouldFail", "UndecryptableSecret"]
    assert "UndecryptableSecret: This Airflow's Fernet key does not decrypt: variable lost (val)" in done.message
    assert {refused["revision"] for refused in done.result["refused"]} == {"0d9e73a75ee4"}
    assert done.result["undecryptable"] == ["variable lost (val)"]
    assert any(
        "rows of task_instance whose dag_run is missing: set aside" in line for line in done.result["without_parent"]
    )
    allowed = source.succeed("check", "--target-version", "3.2.1", "--set-aside", "values", "--skip-undecryptable")
    assert (allowed["ready"], allowed["refused"]) == (True, [])
    assert {aside["kind"] for aside in allowed["set_aside"]} == {"values"}


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("delete from alembic_version", "RevisionUnclear"),
        ("alter table task_instance drop constraint task_instance_pkey cascade", "PrimaryKeyMissing"),
        ("drop table xcom cascade", "AirflowTablesMissing"),
    ],
)
def test_refused(statement: str, error: str, source: Deployment) -> None:
    source.execute(statement)
    done = source.run("check")
    assert (done.code, done.error) == (3, error)
    assert "Traceback" not in done.stderr


def test_as_a_table_for_people(filled_source: Deployment, copy_of: Callable[[Deployment], Deployment]) -> None:
    printed = filled_source.program("check", module="mwaa_migrator")
    assert f"{filled_source.database}, schema public: Airflow 2.10.3, revision 5f2621c13b39" in printed
    assert "of the target's disk meanwhile" in printed
    assert any(line.split()[0] == "task_instance" and "bytes" in line for line in printed.splitlines())
    odd = copy_of(filled_source)
    odd.execute(UNREADABLE)
    process = odd.fork("check", module="mwaa_migrator")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "not decrypted by this Airflow's Fernet key: variable lost (val)" in stdout
    assert "UndecryptableSecret: " in stderr


def test_it_reads_one_snapshot(source: Deployment) -> None:
    """What is written while it reads is in none of its numbers."""
    before = source.counts()["log"]
    waiting = "select exists (select from pg_locks where relation = 'job'::regclass and not granted)"
    with source.cursor() as cursor:
        cursor.execute("lock table job in access exclusive mode")
        checking = source.start("check")
        eventually(lambda: source.value(waiting))
        cursor.execute("insert into log (dttm, event, owner) values (now(), 'cli', 'meanwhile')")
    done = outcome(checking)
    assert done.code == 0, done.stderr
    assert done.result["tables"]["log"]["rows"] == before


def test_exact_numbers_that_will_be_rounded_are_named(source: Deployment) -> None:
    source.execute(
        "alter table task_instance alter column duration type numeric; "
        "update task_instance set duration = 0.1 + 1e-20 where dag_id = 'source_dag_1' and run_id = 'custom__1_3'"
    )
    (rounded,) = source.succeed("check")["will_change"]
    changed = "select count(*) from task_instance where dag_id = 'source_dag_1' and run_id = 'custom__1_3'"
    assert (rounded["table"], rounded["rows"]) == ("task_instance", source.value(changed))
    assert "their duration is kept exactly" in rounded["reason"]
