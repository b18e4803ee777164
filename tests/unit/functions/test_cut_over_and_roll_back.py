"""Verify, CutOver and RollBack."""

from __future__ import annotations

import json

import pytest

import cut_over
import plan
import report
import roll_back
import stage_dags
import trigger_dag_run
import verify
from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.cut_over_run import CutOverRun
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import of_artifact
from tests.unit.functions.conftest import Commands, Environments, Handler, document
from tests.unit.functions.objects import Plan, keys, leave, put, read, table


@pytest.mark.usefixtures("by_cli")
def test_a_dag_without_a_file_is_not_cut_over(planned: Plan, commands: Commands, call: Handler) -> None:
    """Unpaused years ago and then deleted, it is unknown to the target, whose CLI fails for it before 2.10."""
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "stale"], paused=2)
    of_artifact(clients.s3(), planned).write(  # type: ignore[arg-type]
        "dags.json", {"dags": [{"dag_id": "a", "file": "a.py", "paused": True}], "broken_files": []}
    )
    assert call(cut_over, migration=planned, done=0) == {"ready": True, "waitSeconds": 0, "done": 1, "dags": 1}
    assert "stale" not in " ".join(commands.given[-1])


def test_verify_adds_up(planned: Plan, call: Handler) -> None:
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={"dag_run": table(), "xcom": table(exported=10)})
    assert call(verify, migration=planned, dag=our_dags.IMPORT) == {"tables": 2, "rows": 20, "next": ""}


@pytest.mark.parametrize(
    ("tables", "verified"),
    [({"dag_run": table(match=False)}, True), ({"dag_run": table(merged=6)}, True), ({"dag_run": table()}, False)],
)
def test_a_difference_is_no_success(planned: Plan, call: Handler, tables: Plan, verified: bool) -> None:
    leave(planned, our_dags.IMPORT, "verify", verified=verified, tables=tables)
    with pytest.raises(errors.VerificationFailed):
        call(verify, migration=planned, dag=our_dags.IMPORT)


def test_nothing_to_verify_is_no_success(planned: Plan, call: Handler) -> None:
    with pytest.raises(errors.ResultMissing):
        call(verify, migration=planned, dag=our_dags.IMPORT)


@pytest.mark.usefixtures("by_cli")
def test_cut_over_unpauses_what_was_active(planned: Plan, commands: Commands, call: Handler) -> None:
    active = [f"dag.{number}" for number in range(150)]
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=[*active, our_dags.EXPORT], paused=150)
    assert call(cut_over, migration=planned, done=0) == {"ready": True, "waitSeconds": 0, "done": 150, "dags": 150}
    assert [command[:2] for command in commands.given] == [("dags", "list"), *[("dags", "unpause")] * 2]
    assert all("--treat-dag-id-as-regex" in command for command in commands.given[1:])
    assert our_dags.EXPORT not in " ".join(commands.given[2])


@pytest.mark.usefixtures("by_cli")
@pytest.mark.parametrize("name", ["is_paused", "paused"])
def test_a_source_that_somebody_has_unpaused_is_not_cut_over(
    planned: Plan, commands: Commands, call: Handler, name: str
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "b"], paused=2)
    listed = [{"dag_id": "a", name: "True"}, {"dag_id": "b", name: "False"}, {"dag_id": "c", name: "False"}]
    commands.answers[("dags", "list")] = Answer(True, json.dumps(listed), "")
    with pytest.raises(errors.SourceActive, match="prod-2-10 has 1 DAG active again, 'b'"):
        call(cut_over, migration=planned, done=0)
    assert [command[:2] for command in commands.given] == [("dags", "list")]


@pytest.mark.usefixtures("by_cli")
@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (Answer(True, '[{"dag_id": "a", "is_paused": "True"}]', ""), True),
        (Answer(True, '[{"dag_id": "b", "is_paused": "True"}]', ""), False),
        (Answer(True, '[{"dag_id": "a"}]', ""), False),
        (Answer(False, "", "no such command"), False),
    ],
)
def test_what_could_not_be_seen_is_in_the_report(
    planned: Plan, commands: Commands, call: Handler, answer: Answer, seen: bool
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    commands.answers[("dags", "list")] = answer
    assert call(cut_over, migration=planned, done=0)["ready"] is True
    told = json.loads(read(call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])["key"]))
    assert any("still paused" in note for note in told["notes"]) is not seen


@pytest.mark.usefixtures("by_cli")
def test_a_source_whose_web_server_hangs_is_cut_over(
    planned: Plan, commands: Commands, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*command: str) -> Answer:
        raise errors.TransientError("no answer in time")

    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    asked = runs.cli_of
    monkeypatch.setattr(
        runs,
        "cli_of",
        lambda side, version: AirflowCli(hang, version) if side["environment"] == "prod-2-10" else asked(side, version),
    )
    assert call(cut_over, migration=planned, done=0)["ready"] is True
    assert commands.given[-1][:2] == ("dags", "unpause")


@pytest.mark.usefixtures("by_cli")
def test_a_refused_cut_over_is_a_failure(planned: Plan, commands: Commands, call: Handler) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    commands.answers[("dags", "unpause")] = Answer(False, "", "database is locked")
    with pytest.raises(errors.CutOverFailed, match=r"1 DAG from 'a' on .*database is locked"):
        call(cut_over, migration=planned, done=0)


@pytest.fixture
def engine(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that unpauses the target's DAGs does so in the moment in which it is waited for."""

    def answer(seconds: float) -> None:
        leave(planned, our_dags.CUT_OVER, "cut-over/import", unknown=["b"], unpaused=1)

    monkeypatch.setattr(cut_over, "CutOverRun", lambda migration: CutOverRun(migration, sleep=answer))


@pytest.mark.usefixtures("engine")
def test_cut_over_in_the_database_starts_its_run_while_the_source_answers(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "b"], paused=2)
    assert call(cut_over, migration=planned, done=0) == {"ready": True, "waitSeconds": 0, "done": 2, "dags": 2}
    words = [command[:2] for command in commands.given]
    assert words == [("dags", "unpause"), ("dags", "trigger"), ("dags", "list")]
    told = json.loads(read(call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])["key"]))
    assert told["cut_over_way"] == "database"
    assert any("1 DAG of those" in note and "did not start there: b." in note for note in told["notes"])
    assert not any("commands of Airflow" in note for note in told["notes"])


@pytest.mark.usefixtures("by_cli")
def test_why_commands_had_to_unpause_the_dags_is_in_the_report(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    call(cut_over, migration=planned, done=0)
    told = json.loads(read(call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])["key"]))
    assert told["cut_over_way"] == "cli"
    assert any("commands of Airflow" in note and note.endswith("a test") for note in told["notes"])


@pytest.mark.usefixtures("engine")
def test_a_source_that_is_active_is_found_before_the_run_is_asked(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a"], paused=1)
    commands.answers[("dags", "list")] = Answer(True, '[{"dag_id": "a", "is_paused": "False"}]', "")
    with pytest.raises(errors.SourceActive):
        call(cut_over, migration=planned, done=0)
    artifact = of_artifact(clients.s3(), planned)  # type: ignore[arg-type]
    assert artifact.read(layout.CUT_OVER_REQUEST) is None
    # The run waits now. Rolling back tells it to unpause nothing.
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    leave(planned, our_dags.RESUME, "resume", resumed=1)
    assert call(roll_back, migration=planned, waitedSeconds=0, done=0)["ready"]
    assert artifact.read(layout.CUT_OVER_REQUEST) == {"dags": [], "withdrawn": "rolled back"}


@pytest.mark.usefixtures("our_files")
def test_roll_back_before_the_export_only_takes_our_files_away(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    put("dags/a.py")
    call(stage_dags, migration=planned)
    for _ in range(2):
        assert call(roll_back, migration=planned, waitedSeconds=0, done=0)["ready"]
    assert commands.given == []
    assert keys() == ["dags/a.py", "prod-3/dags/a.py"]
    assert call(plan, input=document())["attempt"] == 2


def test_roll_back_resumes_what_was_quiesced(planned: Plan, commands: Commands, call: Handler) -> None:
    states = ("tasks", "states-for-dag-run")
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    commands.answers[states] = Answer(False, "", "not found")
    first = call(roll_back, migration=planned, waitedSeconds=0, done=0)
    assert first == {"done": 0, "ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    assert any(our_dags.RESUME in command for command in commands.given if command[:2] == ("dags", "trigger"))
    commands.answers[states] = Answer(True, '[{"task_id": "resume", "state": "running"}]', "")
    assert not call(roll_back, migration=planned, waitedSeconds=60, done=0)["ready"]
    with pytest.raises(errors.RollBackFailed, match="took longer than 21600 s"):
        call(roll_back, migration=planned, waitedSeconds=21600, done=0)
    leave(planned, our_dags.RESUME, "resume", resumed=3)
    assert call(roll_back, migration=planned, waitedSeconds=120, done=0)["ready"]


def test_a_failed_resume_fails_the_roll_back(planned: Plan, commands: Commands, call: Handler) -> None:
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    commands.answers[("tasks", "states-for-dag-run")] = Answer(True, '[{"task_id": "resume", "state": "failed"}]', "")
    leave(planned, our_dags.RESUME, "resume", "failed", error={"name": "DatabaseUnreachable", "message": "gone"})
    with pytest.raises(errors.RollBackFailed, match=r"gone.*Unpause those that quiesce\.json"):
        call(roll_back, migration=planned, waitedSeconds=0, done=0)


def test_a_rehearsal_that_failed_has_nothing_to_resume(planned: Plan, commands: Commands, call: Handler) -> None:
    rehearsal = planned | {"mode": "rehearse"}
    call(trigger_dag_run, migration=rehearsal, dag=our_dags.EXPORT)
    given = len(commands.given)
    assert call(roll_back, migration=rehearsal, waitedSeconds=0, done=0)["ready"]
    assert len(commands.given) == given


@pytest.mark.usefixtures("by_cli")
def test_roll_back_of_a_begun_cut_over_pauses_the_target_first(
    mwaa: Environments, planned: Plan, commands: Commands, call: Handler
) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=["a", "b"], paused=2)
    call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)
    call(cut_over, migration=planned, done=0)
    leave(planned, our_dags.RESUME, "resume", resumed=2)
    # One in maintenance goes on to run its DAGs afterwards.
    mwaa.all["prod-3"]["Status"] = "MAINTENANCE"
    assert not call(roll_back, migration=planned, waitedSeconds=0, done=0)["ready"]
    mwaa.all["prod-3"]["Status"] = "AVAILABLE"
    assert call(roll_back, migration=planned, waitedSeconds=0, done=0) == {
        "done": 2,
        "ready": True,
        "waitSeconds": 0,
        "waitedSeconds": 0,
    }
    assert commands.given[-1][:2] == ("dags", "pause")
