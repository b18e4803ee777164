"""An import that is killed leaves the target as it was, or complete; the same import again completes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.deployment import Command, Deployment, outcome
from tests.integration.engine.commands import eventually, kill, stopped, wait_for_phase

IMPORTED = "select to_regclass('mwaa_migrator.imports') is not null"


@pytest.fixture(scope="module")
def complete(new_deployment: Callable[..., Deployment], empty_target: Deployment, artifact: Path) -> dict[str, int]:
    """The rows of each table after an import that nobody disturbs."""
    target = new_deployment(empty_target.installation.version, like=empty_target)
    target.succeed("import", "--from", str(artifact))
    return target.counts()


@pytest.mark.parametrize(
    ("phase", "delay"),
    [
        ("check", 0),
        ("restore", 0),
        ("restore", 0.2),
        ("upgrade", 0),
        ("merge", 0),
        ("merge", 0.1),
        ("merge", 0.3),
        ("drop", 0),
    ],
)
def test_killed(phase: str, delay: float, target: Deployment, artifact: Path, complete: dict[str, int]) -> None:
    before = target.content()
    process = target.start("import", "--from", str(artifact))
    wait_for_phase(process, phase)
    kill_after(process, delay)
    merged = target.value(IMPORTED)
    assert merged == (phase == "drop") or phase == "merge"
    assert target.counts() == complete if merged else target.content() == before
    assert_completes(target, artifact, complete, merged)


@pytest.mark.parametrize("delay", [0.5, 3])
def test_killed_while_airflow_migrates(delay: float, target: Deployment, old_artifact: Path) -> None:
    """The process that runs the migrations must not outlive the import, to write into a schema that is gone."""
    before = target.content()
    process = target.start("import", "--from", str(old_artifact), environment={})
    wait_for_phase(process, "upgrade")
    kill_after(process, delay)
    assert target.content() == before
    result = target.succeed("import", "--from", str(old_artifact))
    assert {name: table["exported"] for name, table in result["tables"].items()} == {
        name: table["merged"] + table["kept"] + table["set_aside"] for name, table in result["tables"].items()
    }
    assert target.scratch_schemas() == []


def kill_after(process: Command, delay: float) -> None:
    time.sleep(delay)
    kill(process)


def assert_completes(target: Deployment, artifact: Path, complete: dict[str, int], merged: bool) -> None:
    result = target.succeed("import", "--from", str(artifact))
    assert result["already_imported"] == merged
    assert target.counts() == complete
    assert target.scratch_schemas() == []
    sessions = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    eventually(lambda: target.value(sessions) == 0)


def test_killed_in_a_statement_that_waits(target: Deployment, artifact: Path, complete: dict[str, int]) -> None:
    """The server notices that nobody waits for the statement's result, and lets go of the import's lock."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with target.cursor() as cursor:
        cursor.execute("lock table log in share mode")
        process = target.start("import", "--from", str(artifact))
        eventually(lambda: target.value(waiting) == 1, 60)
        kill(process)
        eventually(lambda: target.value(waiting) == 0)
        assert target.scratch_schemas() == ["mwaa_migrator_whole"]
    assert_completes(target, artifact, complete, merged=False)


def test_two_imports_at_once(target: Deployment, artifact: Path, complete: dict[str, int]) -> None:
    first = target.start("import", "--from", str(artifact))
    wait_for_phase(first, "restore")
    with stopped(first):
        second = target.run("import", "--from", str(artifact))
        assert (second.code, second.error) == (3, "ImportInProgress")
        verify = target.run("verify", "--from", str(artifact))
        assert (verify.code, verify.error) == (3, "ImportInProgress")
    assert outcome(first).code == 0
    assert target.counts() == complete


def test_a_database_that_goes_away(target: Deployment, artifact: Path, complete: dict[str, int]) -> None:
    before = target.content()
    process = target.start("import", "--from", str(artifact))
    wait_for_phase(process, "merge")
    with stopped(process):
        target.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    failed = outcome(process)
    assert failed.code == 4, failed.stderr[-1000:]
    assert failed.error == "DatabaseFailed"
    assert "Traceback" not in failed.stderr
    assert target.content() == before
    assert_completes(target, artifact, complete, merged=False)
