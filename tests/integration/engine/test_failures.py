"""Commands that fail in their middle, by name, with exit code 4, and with the target as it was."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from bench import memory
from sources.deployment import Deployment, Outcome, outcome
from tests.integration.engine.commands import eventually, wait_for_phase


def fail(target: Deployment, artifact: Path, error: str) -> Outcome:
    before = target.content()
    failed = target.run("import", "--from", str(artifact))
    assert (failed.error, failed.code) == (error, 4), failed.stderr[-1000:]
    assert "Traceback" not in failed.stderr
    assert target.content() == before
    assert target.scratch_schemas() == []
    return failed


def test_rows_that_are_not_those_of_the_source(target: Deployment, broken: Path) -> None:
    """The parts are what the manifest says, and the source's database said something else."""
    manifest = json.loads((broken / "manifest.json").read_text())
    manifest["tables"]["xcom"]["checksum"] = "12345"
    (broken / "manifest.json").write_text(json.dumps(manifest))
    assert "xcom" in fail(target, broken, "RestoreFailed").message


def test_no_numbers_left(target: Deployment, artifact: Path) -> None:
    target.execute("select setval('dag_run_id_seq', 2147483500)")
    assert "dag_run.id" in fail(target, artifact, "KeySpaceExhausted").message


@pytest.mark.parametrize(
    ("does", "error"),
    [("return null", "RowsUnaccounted"), ("new.key := new.key || '.'; return new", "ContentDiffers")],
)
def test_a_trigger_of_the_users_that_swallows_or_changes_rows(
    does: str, error: str, target: Deployment, artifact: Path
) -> None:
    target.execute(
        f"""
        create function meddle() returns trigger language plpgsql as $$ begin {does}; end $$;
        create trigger meddle before insert on xcom for each row when (new.map_index = 1) execute function meddle()
        """
    )
    assert fail(target, artifact, error).message.startswith("xcom: ")


def test_migrations_that_are_killed(target: Deployment, old_artifact: Path) -> None:
    """As the kernel does when memory is short: only the process that runs Airflow's migrations."""
    before = target.content()
    process = target.start("import", "--from", str(old_artifact), environment={})
    wait_for_phase(process, "upgrade")
    eventually(lambda: len(memory.family(process.pid)) == 2)
    kill_children(process.pid)
    failed = outcome(process)
    assert (failed.error, failed.code) == ("UpgradeFailed", 4), failed.stderr[-1000:]
    assert target.content() == before
    assert target.scratch_schemas() == []
    target.succeed("import", "--from", str(old_artifact))


def test_copying_processes_that_are_killed(filled_source: Deployment, tmp_path: Path) -> None:
    process = filled_source.start("export", "--to", str(tmp_path), environment={})
    wait_for_phase(process, "export")
    eventually(lambda: len(memory.family(process.pid)) > 1)
    kill_children(process.pid)
    failed = outcome(process)
    assert (failed.error, failed.code) == ("WorkerDied", 4), failed.stderr[-1000:]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_export_from_a_database_that_does_not_answer(filled_source: Deployment, tmp_path: Path) -> None:
    elsewhere = filled_source.having(options={"database__sql_alchemy_conn": "postgresql+psycopg2://a@127.0.0.1:1/b"})
    refused = elsewhere.run("export", "--to", str(tmp_path))
    assert (refused.error, refused.code) == ("DatabaseUnreachable", 3)
    assert list(tmp_path.iterdir()) == []


def kill_children(pid: int) -> None:
    for child in memory.family(pid)[1:]:
        os.kill(child, signal.SIGKILL)
