"""CheckParsed, TriggerDagRun, CheckDagRun and GiveDagVersions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import check_dag_run
import check_parsed
import give_dag_versions
import trigger_dag_run
from migration import errors, waiting
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.checks import check_results
from migration.checks.check_results import Check
from migration.environments import dag_folder
from migration.exchange.store import of_artifact, of_attempt
from tests.unit.functions.conftest import Commands, Handler
from tests.unit.functions.objects import Plan, keys, leave


def test_parsing_is_waited_for_in_both_environments(planned: Plan, commands: Commands, call: Handler) -> None:
    commands.answers[("dags", "state", our_dags.EXPORT)] = Answer(True, "None", "")
    commands.answers[("dags", "state", our_dags.RESUME)] = Answer(True, "None", "")
    commands.answers[("dags", "state", our_dags.IMPORT)] = Answer(False, "", "does not exist")
    waiting = call(check_parsed, migration=planned, waitedSeconds=0)
    assert waiting == {
        "missing": ["target: mwaa_migrator_import"],
        "ready": False,
        "waitSeconds": 60,
        "waitedSeconds": 60,
    }
    with pytest.raises(errors.DagsNotParsed, match="target: mwaa_migrator_import"):
        call(check_parsed, migration=planned, waitedSeconds=1800)
    commands.answers[("dags", "state", our_dags.IMPORT)] = Answer(True, "None", "")
    assert call(check_parsed, migration=planned, waitedSeconds=60)["ready"]


def test_a_run_is_triggered_unless_its_result_is_there(planned: Plan, commands: Commands, call: Handler) -> None:
    run = f"mwaa_migrator_export__{planned['id']}"
    event = {"migration": planned, "dag": our_dags.EXPORT}
    assert call(trigger_dag_run, **event) == {"runId": run, "created": True}
    assert [command[:2] for command in commands.given] == [("dags", "unpause"), ("dags", "trigger")]
    leave(planned, our_dags.EXPORT, "export")
    assert call(trigger_dag_run, **event) == {"runId": run, "created": False}
    assert len(commands.given) == 2


FOUND: dict[str, Any] = {
    "airflow_version": "2.10.3",
    "revision": "5f2621c13b39",
    "schema": "public",
    "tables": {"dag_run": {"rows": 3, "bytes": 2_000_000_000}, "xcom": {"rows": 4, "bytes": 0}},
    "set_aside": [],
    "will_change": [],
    "not_examined": [],
    "undecryptable": [],
    "without_parent": [],
    "unfinished": {"dag_runs": 1, "task_instances": 0},
    "estimate": {"export_seconds": 5, "import_seconds": 15, "verify_seconds": 10, "disk_bytes": 4_000_000_000},
    "problems": [],
    "ready": True,
}


REFUSED = {"name": "MigrationWouldFail", "message": "1 row of xcom (d t r1 -1 k), on which 3.0.0 fails."}


def leave_probe(planned: Plan, **content: Any) -> None:
    run = f"mwaa_migrator_probe__{planned['id']}"
    result = {"command": "export", "status": "done", "run_id": run, "error": None, **FOUND, **content}
    of_artifact(clients.s3(), planned).write("probe/export.json", result)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "result", "says"),
    [
        ({}, "pass", []),
        (
            {"without_parent": ["2 rows of xcom whose dag_run is missing: set aside"], "undecryptable": ["variable a"]},
            "warn",
            ["variable a cannot be decrypted with the source's Fernet key", "2 rows of xcom whose dag_run is missing"],
        ),
        (
            {
                "will_change": [
                    {"table": "xcom", "rows": 1, "examples": ["d t r1"], "reason": "its value was no JSON"}
                ],
                "not_examined": ["2 XComs of more than 4 MB were not looked at"],
            },
            "warn",
            ["1 row of xcom (d t r1) will be changed: its value was no JSON.", "2 XComs of more than 4 MB were not"],
        ),
        ({"problems": [REFUSED], "ready": False}, "fail", ["MigrationWouldFail: 1 row of xcom (d t r1 -1 k)"]),
    ],
)
def test_what_a_probe_finds_is_a_check_of_the_report(
    content: dict[str, Any], result: str, says: list[str], planned: Plan, commands: Commands, call: Handler
) -> None:
    event = {"migration": planned, "dag": our_dags.PROBE}
    assert call(trigger_dag_run, **event)["runId"] == f"mwaa_migrator_probe__{planned['id']}"
    assert commands.given[-1][-1] == our_dags.EXPORT
    leave_probe(planned, **content)
    if result == "fail":
        with pytest.raises(errors.MigrationError, match=r"xcom \(d t r1 -1 k\).* Nothing was paused") as caught:
            call(check_dag_run, **event, waitedSeconds=0)
        assert type(caught.value).__name__ == "MigrationWouldFail"
    else:
        assert call(check_dag_run, **event, waitedSeconds=0)["ready"]
    (check,) = check_results.read(of_attempt(clients.s3(), planned))  # type: ignore[arg-type]
    assert (check["name"], check["result"]) == ("Source database", result)
    assert "7 rows and 2.0 GB with indexes" in check["message"]
    assert "the import 15 s, and 4.0 GB of the target's disk" in check["message"]
    told = " ".join(finding["message"] or "" for finding in check.get("findings", []))
    assert [text for text in says if text not in told] == []


@pytest.mark.parametrize(("checks", "mode"), [("enforce", "migrate"), ("warn", "migrate"), ("enforce", "rehearse")])
def test_no_export_after_a_failed_check_that_nobody_has_judged(
    planned: Plan, commands: Commands, call: Handler, checks: str, mode: str
) -> None:
    """CheckFiles judges, but may end before it does: it has a time-out, and a limit of memory."""
    planned["mode"], planned["options"]["checks"] = mode, checks
    failed = Check(name="Import errors", result="fail", message="Airflow cannot import 1 DAG file.")
    check_results.write(of_attempt(clients.s3(), planned), "target", [failed])  # type: ignore[arg-type]
    assert call(trigger_dag_run, migration=planned, dag=our_dags.PROBE)["created"]
    given = len(commands.given)
    if (checks, mode) == ("enforce", "migrate"):
        with pytest.raises(errors.ChecksFailed, match="Import errors: Airflow cannot import 1 DAG file"):
            call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
        assert len(commands.given) == given
    else:
        assert call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)["created"]


def test_a_run_of_another_attempt_is_not_ours(planned: Plan, commands: Commands, call: Handler) -> None:
    leave(planned, our_dags.EXPORT, "export", run_id="mwaa_migrator_export__somebody")
    assert call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)["created"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for a result."""
    monkeypatch.setattr(check_dag_run, "SECONDS", 0.0)


def test_a_result_of_the_delta_is_waited_for_in_one_call(
    planned: Plan, commands: Commands, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []

    def sleep(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 3:
            leave(planned, our_dags.EXPORT, "export")

    monkeypatch.setattr(check_dag_run, "SECONDS", 60.0)
    monkeypatch.setattr("check_dag_run.time.sleep", sleep)
    planned["options"]["pollSeconds"] = 3600
    progress = call(check_dag_run, migration=planned, dag=our_dags.EXPORT, waitedSeconds=7)
    assert (progress["ready"], progress["next"], looked) == (True, our_dags.IMPORT, [2.0, 2.0, 2.0])
    assert commands.given == []


@pytest.mark.parametrize(("dag", "seconds"), [(our_dags.EXPORT, 1), ("mwaa_migrator_export_base", 60)])
def test_only_the_delta_is_in_a_hurry(planned: Plan, commands: Commands, call: Handler, dag: str, seconds: int) -> None:
    states = ("tasks", "states-for-dag-run")
    commands.answers[states] = Answer(True, '[{"task_id": "drain", "state": "running"}]', "")
    assert call(check_dag_run, migration=planned, dag=dag, waitedSeconds=0)["waitSeconds"] == seconds


def test_a_run_is_watched_to_its_end(planned: Plan, commands: Commands, call: Handler) -> None:
    states = ("tasks", "states-for-dag-run")
    event = {"migration": planned, "dag": our_dags.IMPORT}
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "running"}]', "")
    assert call(check_dag_run, **event, waitedSeconds=0) == {
        "tasks": {"import": "running"},
        "next": "",
        "ready": False,
        "waitSeconds": 1,
        "waitedSeconds": 1,
    }
    with pytest.raises(errors.DagRunTimedOut, match="'import': 'running'"):
        call(check_dag_run, **event, waitedSeconds=21600)
    leave(planned, our_dags.IMPORT, "import", "failed", error={"name": "ArtifactDamaged", "message": "part 3"})
    assert not call(check_dag_run, **event, waitedSeconds=0)["ready"]
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "failed"}]', "")
    with pytest.raises(errors.MigrationError, match="part 3") as caught:
        call(check_dag_run, **event, waitedSeconds=0)
    assert type(caught.value).__name__ == "ArtifactDamaged"
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify")
    assert call(check_dag_run, **event, waitedSeconds=0)["ready"]


def test_dag_versions_are_given_by_a_run_of_ours_in_the_upgraded_target(
    planned: Plan, commands: Commands, call: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mwaa_migrator_import.py").write_text("# our DAG")
    monkeypatch.setattr(dag_folder, "DAGS", tmp_path)
    states, run = ("tasks", "states-for-dag-run"), f"mwaa_migrator_versions__{planned['id']}"
    commands.answers[states] = Answer(False, "", "no such run")
    commands.answers["dags", "trigger"] = Answer(False, "", "DagNotFound")
    event = {"migration": planned}
    assert call(give_dag_versions, **event, waitedSeconds=0) == {"ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    # The hop had taken them away.
    assert "prod-3/dags/mwaa_migrator_import.py" in keys("prod-3/dags/")
    del commands.answers["dags", "trigger"]
    assert not call(give_dag_versions, **event, waitedSeconds=60)["ready"]
    trigger = commands.given[-1]
    assert (trigger[:4], trigger[-1]) == (("dags", "trigger", "--run-id", run), our_dags.IMPORT)
    assert "--logical-date" in trigger
    commands.answers[states] = Answer(True, '[{"task_id": "import", "state": "running"}]', "")
    with pytest.raises(errors.DagRunTimedOut, match="'import': 'running'"):
        call(give_dag_versions, **event, waitedSeconds=86400)
    result = {"status": "done", "run_id": run, "error": None, "given_dag_version": 3}
    for task in ("import", "verify"):
        of_artifact(clients.s3(), planned).write(f"versions/{task}.json", result)  # type: ignore[arg-type]
    given = len(commands.given)
    assert call(give_dag_versions, **event, waitedSeconds=120)["ready"]
    assert [command[:2] for command in commands.given[given:]] == [states]


def test_a_target_without_a_way_in_is_told_from_one_that_works_on(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    run = f"mwaa_migrator_versions__{planned['id']}"
    failed = {"status": "failed", "run_id": run, "error": {"name": "DatabaseOutOfReach", "message": "No way."}}
    of_artifact(clients.s3(), planned).write("versions/import.json", failed)  # type: ignore[arg-type]
    commands.answers["tasks", "states-for-dag-run"] = Answer(True, '[{"task_id": "import", "state": "failed"}]', "")
    with pytest.raises(errors.MigrationError, match="No way") as caught:
        call(give_dag_versions, migration=planned, waitedSeconds=60)
    assert type(caught.value).__name__ == "DatabaseOutOfReach"


@pytest.mark.parametrize("error", [errors.TransientError, errors.CliUnreachable])
def test_a_cli_that_waits_for_the_imports_locks_ends_no_run(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def hang(*command: str) -> Answer:
        raise error("no answer in time")

    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(hang, version))
    event = {"migration": planned, "dag": our_dags.IMPORT}
    assert not call(check_dag_run, **event, waitedSeconds=0)["ready"]
    with pytest.raises(errors.DagRunTimedOut):
        call(check_dag_run, **event, waitedSeconds=21600)
    leave(planned, our_dags.IMPORT, "import", "failed", error={"name": "DatabaseFailed", "message": "connection lost"})
    # Whether it is tried again only the CLI tells; the state machine asks again.
    with pytest.raises(error):
        call(check_dag_run, **event, waitedSeconds=60)
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify")
    assert call(check_dag_run, **event, waitedSeconds=60)["ready"]


@pytest.mark.parametrize(("seconds", "limit"), [(1, 21600), (1, 604800), (60, 604800), (3600, 604800)])
def test_looks_fit_into_an_executions_history(seconds: int, limit: int) -> None:
    progress = waiting.ready(0)
    looks = 0
    while progress.waited_seconds < limit:
        progress = waiting.not_ready(progress.waited_seconds, seconds=seconds, limit=limit, timed_out=AssertionError)
        assert progress.wait_seconds >= seconds
        looks += 1
    # Some ten events each, of 25,000.
    assert looks < 2000
