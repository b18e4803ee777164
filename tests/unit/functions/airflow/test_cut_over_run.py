"""The run that unpauses the target's DAGs, as the function sees it: it starts, waits, and gives up without a doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cut_over_run import CutOverRun
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import Store, of_artifact
from tests.unit.functions.conftest import Commands
from tests.unit.functions.objects import Plan

DAGS = ["a", "b"]
DONE = {"status": "done", "error": None, "unknown": ["b"]}
FAILED = {"status": "failed", "error": {"name": "DagsLocked", "message": "locked by 1 (a scheduler)"}}
STATES = ("tasks", "states-for-dag-run")


class Time:
    """A clock that only sleeping moves on, and what happens at its seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: dict[float, Callable[[], object]] = {}

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        for second in sorted(self.events):
            if second <= until:
                self.events.pop(second)()
        self.now = until


class Engine:
    """What the run writes beside its result."""

    def __init__(self, planned: Plan) -> None:
        self.artifact: Store = of_artifact(clients.s3(), planned)  # type: ignore[arg-type]
        self.run = runs.run_id(planned, our_dags.CUT_OVER)  # type: ignore[arg-type]

    def begin(self) -> None:
        self.artifact.write(layout.CUT_OVER_BEGUN, {"run_id": self.run})

    def end(self, result: dict[str, Any]) -> None:
        self.artifact.write("cut-over/import.json", {"run_id": self.run, **result})

    def request(self) -> Any:
        return self.artifact.read(layout.CUT_OVER_REQUEST)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def engine(planned: Plan) -> Engine:
    return Engine(planned)


@pytest.fixture
def run(planned: Plan, commands: Commands, time: Time) -> CutOverRun:
    return CutOverRun(planned, lambda: time.now, time.sleep)  # type: ignore[arg-type]


def test_it_is_started_asked_and_waited_for(run: CutOverRun, commands: Commands, time: Time, engine: Engine) -> None:
    assert run.start() is None
    assert [command[:2] for command in commands.given] == [("dags", "unpause"), ("dags", "trigger")]
    assert engine.request() is None
    time.events = {4.0: engine.begin, 6.0: lambda: engine.end(DONE)}
    outcome = run.unpause(DAGS)
    assert (outcome.reason, (outcome.result or {})["unknown"]) == (None, ["b"])
    assert engine.request() == {"dags": DAGS, "withdrawn": None}
    # It looks each second or two, and gives no command.
    assert time.now < 8.0
    assert len(commands.given) == 2


def test_one_that_was_started_early_costs_no_command(run: CutOverRun, commands: Commands, engine: Engine) -> None:
    engine.begin()
    assert run.start() is None
    assert commands.given == []


def test_a_second_call_finds_what_the_first_has_done(
    run: CutOverRun, commands: Commands, time: Time, engine: Engine
) -> None:
    engine.begin()
    engine.end(DONE)
    assert run.start() is None
    assert run.unpause(DAGS).result is not None
    assert (commands.given, time.now) == ([], 0.0)


def test_a_run_of_an_earlier_attempt_does_not_count(run: CutOverRun, engine: Engine, time: Time) -> None:
    engine.run = "of another attempt"
    engine.begin()
    engine.end(DONE)
    assert run.unpause(DAGS).reason == "the run has not begun within 60 s"


def test_where_our_dag_is_unknown_or_refused_nobody_waits(run: CutOverRun, commands: Commands, engine: Engine) -> None:
    commands.answers[("dags", "unpause")] = Answer(False, "", "no such DAG")
    assert run.start() == "the target has not parsed our DAG since its upgrade"
    del commands.answers[("dags", "unpause")]
    commands.answers[("dags", "trigger")] = Answer(False, "", "DagNotFound: no such DAG")
    assert "did not create run mwaa_migrator_cut_over__" in (run.start() or "")


def test_an_endpoint_that_does_not_answer_is_the_callers_to_try_again(
    run: CutOverRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any) -> Answer:
        raise errors.TransientError("no answer in time")

    monkeypatch.setattr(Commands, "__call__", hang)
    with pytest.raises(errors.TransientError):
        run.start()


def test_a_run_that_does_not_begin_is_given_up(run: CutOverRun, time: Time, engine: Engine) -> None:
    outcome = run.unpause(DAGS)
    assert (outcome.result, outcome.reason) == (None, "the run has not begun within 60 s")
    assert engine.request() == {"dags": [], "withdrawn": outcome.reason}
    # Nothing of it can be on its way, so the CLI begins at once.
    assert time.now == pytest.approx(60.0, abs=2.0)
    assert run.start() == outcome.reason
    assert run.unpause(DAGS) == outcome


def test_a_run_without_a_worker_is_seen_to_have_failed(run: CutOverRun, commands: Commands, time: Time) -> None:
    commands.answers[STATES] = Answer(True, '[{"task_id": "import", "state": "failed"}]', "")
    assert run.unpause(DAGS).reason == "the run failed without a result"
    assert time.now < 20.0


def test_a_run_that_fails_is_followed_by_the_cli(run: CutOverRun, time: Time, engine: Engine) -> None:
    time.events = {3.0: engine.begin, 45.0: lambda: engine.end(FAILED)}
    outcome = run.unpause(DAGS)
    assert outcome.result is None
    assert "locked by 1 (a scheduler)" in (outcome.reason or "")
    assert engine.request()["withdrawn"] == outcome.reason


def test_a_run_that_has_begun_and_says_nothing_is_given_up_with_time_to_commit(
    run: CutOverRun, time: Time, engine: Engine
) -> None:
    engine.begin()
    assert run.unpause(DAGS).reason == "the run has not answered within 90 s"
    assert 94.0 < time.now < 98.0


def test_a_run_that_commits_while_its_request_is_withdrawn_has_done_it(
    run: CutOverRun, time: Time, engine: Engine
) -> None:
    engine.begin()
    time.events = {93.0: lambda: engine.end(DONE)}
    outcome = run.unpause(DAGS)
    assert outcome.result is not None
    assert outcome.reason is None
