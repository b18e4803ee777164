"""Who may work on an environment, with moto's S3."""

from __future__ import annotations

from typing import Any

import pytest

import clean_up
import create_environment
import cut_over
import plan
import roll_back
import stage_dags
import stage_roll_back
import stage_settings
import trigger_dag_run
import update_environment
from migration import errors
from migration.aws import clients
from migration.exchange.locks import Locks, Place
from tests.unit.functions.conftest import EXECUTION, Environments, Handler, document

OTHER = EXECUTION.replace("execution-1", "execution-2")
SOURCE, TARGET = Place("eu-west-1", "old"), Place("eu-west-1", "new")


class Executions:
    """Step Functions, with the executions that run."""

    def __init__(self, *running: str) -> None:
        self.running = set(running)

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"status": "RUNNING" if executionArn in self.running else "ABORTED"}


@pytest.fixture
def locks() -> Locks:
    return Locks(clients.s3(), "exchange")


def acquire(locks: Locks, execution: str, executions: Any, *places: Place, break_lock: bool = False) -> None:
    locks.acquire(places or (SOURCE, TARGET), "m", execution, executions, break_lock)


def test_an_environment_has_one_holder(locks: Locks) -> None:
    executions = Executions(EXECUTION, OTHER)
    acquire(locks, EXECUTION, executions)
    acquire(locks, EXECUTION, executions)
    assert locks.held((SOURCE, TARGET), EXECUTION) == locks.held((SOURCE, TARGET), "execution-1") == [SOURCE, TARGET]
    with pytest.raises(errors.EnvironmentLocked, match=r"old in eu-west-1 .* migration m since .*breakLock"):
        acquire(locks, OTHER, executions)
    locks.release((SOURCE, TARGET), OTHER)
    assert locks.held((SOURCE, TARGET), EXECUTION) == [SOURCE, TARGET]
    locks.release((SOURCE, TARGET), EXECUTION)
    acquire(locks, OTHER, executions)
    assert locks.held((SOURCE, TARGET), EXECUTION) == []


def test_all_or_nothing(locks: Locks) -> None:
    executions = Executions(EXECUTION, OTHER)
    acquire(locks, EXECUTION, executions, TARGET)
    with pytest.raises(errors.EnvironmentLocked):
        acquire(locks, OTHER, executions)
    assert locks.held((SOURCE, TARGET), OTHER) == []


def test_the_lock_of_an_execution_that_has_ended_is_taken_over(locks: Locks) -> None:
    acquire(locks, EXECUTION, Executions(EXECUTION))
    acquire(locks, OTHER, Executions(OTHER))
    assert locks.held((SOURCE, TARGET), OTHER) == [SOURCE, TARGET]


def test_a_lock_is_broken_where_that_is_asked_for(locks: Locks) -> None:
    executions = Executions(EXECUTION, OTHER)
    acquire(locks, EXECUTION, executions)
    acquire(locks, OTHER, executions, break_lock=True)
    assert locks.held((SOURCE, TARGET), OTHER) == [SOURCE, TARGET]


def test_of_two_that_take_over_at_once_one_wins(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    acquire(locks, "ended", Executions(), SOURCE)
    executions = Executions(OTHER)

    def meanwhile(executionArn: str) -> dict[str, Any]:  # noqa: N803
        monkeypatch.undo()
        acquire(locks, OTHER, executions, SOURCE)
        return {"status": "ABORTED"}

    monkeypatch.setattr(executions, "describe_execution", meanwhile)
    with pytest.raises(errors.EnvironmentLocked, match="execution-2"):
        acquire(locks, EXECUTION, executions, SOURCE)
    assert locks.held([SOURCE], OTHER) == [SOURCE]


@pytest.mark.parametrize(
    "other",
    [
        {"source": {"environment": "prod-2-10"}, "target": {"environment": "x", "airflowVersion": "3.2.1"}},
        {"source": {"environment": "y"}, "target": {"environment": "prod-3", "airflowVersion": "3.2.1"}},
        document(mode="rehearse"),
    ],
    ids=["source", "target", "rehearsal"],
)
def test_two_migrations_that_share_an_environment(
    planned: dict[str, Any], call: Handler, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    monkeypatch.setattr(clients, "states", lambda: Executions(EXECUTION, OTHER))
    with pytest.raises(errors.EnvironmentLocked, match=planned["id"]):
        call(plan, executionArn=OTHER, execution="execution-2", input=other)


@pytest.mark.usefixtures("mwaa")
def test_a_refused_input_leaves_no_lock(call: Handler, locks: Locks) -> None:
    with pytest.raises(errors.SourceNotFound):
        call(plan, input=document(source={"environment": "nobody"}))
    assert locks.held([Place("eu-west-1", "nobody"), Place("eu-west-1", "prod-3")], EXECUTION) == []


@pytest.mark.parametrize(
    ("function", "event"),
    [
        (stage_settings, {"airflowVersion": "2.11.2"}),
        (stage_dags, {}),
        (stage_roll_back, {}),
        (create_environment, {"phase": "create target", "files": {"dags": "d"}}),
        (trigger_dag_run, {"dag": "mwaa_migrator_export"}),
        (update_environment, {"airflowVersion": "3.2.1", "phase": "hop", "files": {"dags": "d"}}),
        (cut_over, {"done": 0}),
        (roll_back, {"done": 0, "waitedSeconds": 0}),
    ],
)
def test_who_has_lost_an_environment_changes_nothing(
    mwaa: Environments, planned: dict[str, Any], call: Handler, function: Any, event: dict[str, Any]
) -> None:
    before = list(mwaa.calls)
    call(plan, executionArn=OTHER, execution="execution-2", input=document(options={"breakLock": True}))
    with pytest.raises(errors.LockLost, match="prod-2-10 and prod-3: another execution has taken over"):
        call(function, migration=planned, **event)
    assert mwaa.calls == before


def test_cleaning_up_leaves_alone_what_another_holds(planned: dict[str, Any], call: Handler, locks: Locks) -> None:
    clients.s3().put_object(Bucket="dags", Key="dags/mwaa_migrator_export.py", Body=b"theirs")
    call(plan, executionArn=OTHER, execution="execution-2", input=document())
    assert call(clean_up, migration=planned, failed=True, waitedSeconds=0)["ready"]
    assert clients.s3().list_objects_v2(Bucket="dags")["KeyCount"] == 1
    assert len(locks.held([Place("eu-west-1", "prod-2-10"), Place("eu-west-1", "prod-3")], OTHER)) == 2
