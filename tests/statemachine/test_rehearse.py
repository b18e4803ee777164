"""The rehearse state machine, with the migrate state machine in it, in real executions."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata

from local.aws.stepfunctions import jsonata_evaluation

from .conftest import MIGRATION, NOT_READY, READY, WELL, Event, Execute, Fails

REHEARSAL = {**MIGRATION, "mode": "rehearse"}
SWEEP = ["Sweep", "Swept"]


def test_a_rehearsal_that_goes_well(execute: Execute) -> None:
    outcome = execute(machine="rehearse", Plan=REHEARSAL)
    assert outcome.states == ["PrepareRehearsal", "Rehearse", *SWEEP, "Succeeded"]
    assert (outcome.status, outcome.output) == (
        "SUCCEEDED",
        {
            "outcome": "rehearsed",
            "migrationId": MIGRATION["id"],
            "bucket": "exchange",
            "report": "migrations/x/1/report.json",
            "verdict": "pass",
        },
    )


def test_a_rehearsal_that_finds_something_says_so_in_its_output(execute: Execute) -> None:
    outcome = execute(machine="rehearse", Plan=REHEARSAL, Report={**WELL["Report"], "verdict": "fail"})
    assert (outcome.status, outcome.output["outcome"], outcome.output["verdict"]) == ("SUCCEEDED", "rehearsed", "fail")


def test_what_each_part_is_told(execute: Execute) -> None:
    outcome = execute(machine="rehearse", Plan=REHEARSAL)
    (prepared,), (planned,), (swept,) = (outcome.events(name) for name in ("PrepareRehearsal", "Plan", "Sweep"))
    name = prepared["execution"]
    assert prepared["executionArn"].endswith(f":execution:rehearse:{name}")
    assert prepared["input"] == {"source": {}}
    assert planned["input"] == WELL["PrepareRehearsal"]["input"]
    assert planned["executionArn"].endswith(f":execution:migrate:{name}")
    assert swept == {"execution": name, "migrationId": MIGRATION["id"], "waitedSeconds": 0}


def test_is_swept_until_nothing_is_left(execute: Execute) -> None:
    outcome = execute(machine="rehearse", Plan=REHEARSAL, Sweep=[NOT_READY, NOT_READY, READY])
    assert outcome.states[-7:] == ["WaitForSweep", *SWEEP, "WaitForSweep", *SWEEP, "Succeeded"]
    assert [event["waitedSeconds"] for event in outcome.events("Sweep")] == [0, 60, 60]


# One failure for each way in which the migrate state machine can fail.
@pytest.mark.parametrize(
    ("function", "error"),
    [("Plan", "SourceNotFound"), ("Verify", "VerificationFailed"), ("CleanUp", "CleanUpTimedOut")],
)
def test_a_rehearsal_that_fails_is_swept_and_fails_by_its_name(execute: Execute, function: str, error: str) -> None:
    outcome = execute(machine="rehearse", **{"Plan": REHEARSAL, function: Fails(error, "what to do")})
    assert outcome.states == ["PrepareRehearsal", "Rehearse", *SWEEP, "Failed"]
    assert (outcome.status, outcome.error) == ("FAILED", error)
    assert "what to do" in (outcome.cause or "")


@pytest.mark.parametrize(
    "state", ["Plan", "CreateEnvironment", "CheckDagRun", "Verify", "CheckTarget", "Report", "CleanUp"]
)
def test_a_rehearsal_that_is_aborted_is_swept(
    execute: Execute, machines: tuple[Any, dict[str, str]], state: str
) -> None:
    states = machines[0]

    def abort(event: Event) -> Any:
        arn = machines[1]["migrate"].replace(":stateMachine:", ":execution:") + f":{event['execution']}"
        # In a thread, because StopExecution returns only after this function has answered.
        threading.Thread(target=states.stop_execution, kwargs={"executionArn": arn}).start()
        time.sleep(1)
        return WELL[state] if state != "Plan" else REHEARSAL

    outcome = execute(machine="rehearse", **{"Plan": REHEARSAL, state: abort})
    assert outcome.states == ["PrepareRehearsal", "Rehearse", *SWEEP, "Failed"]
    assert (outcome.status, outcome.error) == ("FAILED", "RehearsalAborted")
    assert outcome.cause == "The execution of the migrate state machine has ended ABORTED"


def test_what_is_stopped_while_a_state_is_evaluated_has_not_failed(
    execute: Execute, machines: tuple[Any, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto skips the rest of the state then, and would fail over what that rest should have set."""
    seen: list[str] = []

    def stop_and_evaluate(text: str) -> Any:
        if not seen and text.rstrip(")").endswith("$states.result.Payload"):
            running = machines[0].list_executions(stateMachineArn=machines[1]["migrate"], statusFilter="RUNNING")
            seen.extend(execution["executionArn"] for execution in running["executions"])
            for arn in seen:
                machines[0].stop_execution(executionArn=arn)
        return jsonata_evaluation.evaluate(text)

    monkeypatch.setattr(moto_jsonata, "_eval_jsonata", stop_and_evaluate)
    outcome = execute(machine="rehearse", Plan=REHEARSAL)
    assert len(seen) == 1
    assert (outcome.status, outcome.error) == ("FAILED", "RehearsalAborted")
    assert outcome.cause == "The execution of the migrate state machine has ended ABORTED"


def test_what_cannot_be_prepared_is_not_started(execute: Execute) -> None:
    outcome = execute(machine="rehearse", PrepareRehearsal=Fails("InvalidInput"))
    assert outcome.states == ["PrepareRehearsal", "Failed"]
    assert outcome.error == "InvalidInput"


def test_another_one_that_runs_is_no_failure(execute: Execute) -> None:
    outcome = execute(machine="rehearse", PrepareRehearsal=Fails("EnvironmentLocked", "by prod-2"))
    assert outcome.states == ["PrepareRehearsal", "Skipped"]
    assert (outcome.status, outcome.output["outcome"]) == ("SUCCEEDED", "skipped")
    assert (outcome.output["error"], "by prod-2" in outcome.output["cause"]) == ("EnvironmentLocked", True)


def test_another_one_that_began_in_between_is_no_failure(execute: Execute) -> None:
    outcome = execute(machine="rehearse", Plan=Fails("EnvironmentLocked", "by prod-2"))
    assert outcome.states == ["PrepareRehearsal", "Rehearse", *SWEEP, "Skipped"]
    assert (outcome.status, outcome.output["outcome"]) == ("SUCCEEDED", "skipped")


@pytest.mark.parametrize(
    ("plan", "error"), [(REHEARSAL, "CleanUpTimedOut"), (Fails("SourceNotFound"), "SourceNotFound")]
)
def test_a_sweep_that_fails_is_told_unless_the_rehearsal_failed_before(execute: Execute, plan: Any, error: str) -> None:
    outcome = execute(machine="rehearse", Plan=plan, Sweep=Fails("CleanUpTimedOut"))
    assert outcome.states[-2:] == ["Sweep", "Failed"]
    assert outcome.error == error
