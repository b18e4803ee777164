"""When the rows of our DAGs may be deleted: not before what writes them has ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import plan
from migration.airflow import our_dags
from migration.airflow.endpoint import Answer
from migration.cleanup import dag_rows
from tests.unit.functions.conftest import Commands, Environments, Handler, document

STATES = ("tasks", "states-for-dag-run")
DELETE = ("dags", "delete")
Plan = dict[str, Any]


@pytest.fixture
def planned(mwaa: Environments, call: Handler) -> Plan:
    return call(plan, input=document())


def gone(planned: Plan, waited: float = 3600) -> bool:
    return dag_rows.delete(planned, planned["source"], waited)  # type: ignore[arg-type]


def task(started: float | None, ended: float | None) -> dict[str, str]:
    """As the command has it, from seconds before now."""
    now = datetime.now(UTC)
    began, end = ((now - timedelta(seconds=t)).isoformat() if t is not None else "" for t in (started, ended))
    return {"task_id": "export", "state": "?", "start_date": began, "end_date": end}


Times = list[tuple[float | None, float | None]]


@pytest.mark.parametrize(
    ("tasks", "deleted"),
    [
        ([], True),
        ([(None, None)], True),
        ([(900, 600), (600, 75)], True),
        ([(900, 600), (600, None)], False),
        ([(900, 600), (600, 30)], False),
    ],
    ids=["no tasks", "not begun", "ended long ago", "still running", "its process may still write its job"],
)
def test_rows_are_deleted_when_the_processes_of_our_tasks_have_ended(
    planned: Plan, commands: Commands, tasks: Times, deleted: bool
) -> None:
    commands.answers["dags", "state"] = Answer(True, "None", "")
    commands.answers[STATES] = Answer(True, json.dumps([task(*times) for times in tasks]), "")
    assert not gone(planned), "what was deleted is asked for once more"
    assert any(command[:2] == DELETE for command in commands.given) is deleted


def test_a_run_that_never_was_keeps_nobody_waiting(planned: Plan, commands: Commands) -> None:
    commands.answers[STATES] = Answer(False, "", "DagRun for mwaa_migrator_resume with run_id x not found")
    assert gone(planned, waited=60)


def test_only_runs_in_the_environment_itself_are_waited_for(planned: Plan, commands: Commands) -> None:
    gone(planned)
    assert {command[-2] for command in commands.given if command[:2] == STATES} == {our_dags.EXPORT, our_dags.RESUME}


def test_of_1_10_the_time_since_the_files_went_decides(mwaa: Environments, planned: Plan, commands: Commands) -> None:
    mwaa.all["prod-2-10"]["AirflowVersion"] = "1.10.12"
    commands.answers["delete_dag",] = Answer(False, "", "Dag id not found")
    assert not gone(planned, waited=60)
    assert commands.given == []
    assert gone(planned, waited=120)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 70),
        ({"core.killed_task_cleanup_time": "604800"}, 604810),
        ({"core.killed_task_cleanup_time": "5", "scheduler.job_heartbeat_sec": "20"}, 30),
        ({"core.killed_task_cleanup_time": "a minute"}, 70),
    ],
)
def test_seconds_of_jobs(options: dict[str, str], seconds: float) -> None:
    assert dag_rows.seconds_of_jobs(options) == seconds
