"""A rehearsal that is aborted by hand in each state, of both state machines: what is listed afterwards is as before.

A few at once, each in a rehearsal of a source of its own, because most of a rehearsal is waiting. The function of the
state has done its work by then, and Step Functions has not been told.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from .light_environment import LightEnvironment
from .stage import Event, Intervention, Stage, task_states

# A rehearsal quiesces nothing, cuts nothing over, and rolls back only what has failed.
NOT_REACHED = ("StageRollBack", "CutOver", "RollBack")
# States that are not on the path through 2.11; one falls back to it, where the target lets no task in.
PATHS = {"TriggerTargetProbe": "direct", "CheckTargetProbe": "direct", "FallBack": "auto"}
# Each needs processes of its own for the functions, which take longer to start than to work.
AT_ONCE = 3
STATES = [state for state in (*task_states("migrate"), *task_states("copy_logs")) if state not in NOT_REACHED]
ABORTED = ("ABORTED", None, None)


@dataclass
class Aborted:
    """Rehearsals by the state in which they were aborted, and what was listed before and after."""

    rehearsals: dict[str, Event]
    migrations: dict[str, Event]
    before: set[str]
    then: set[str]
    after: set[str]


def abort_all(stage: Stage, letter: str, states: list[str], *, outer: bool) -> Aborted:
    """Aborts the migrations of rehearsals, or with `outer` the rehearsals too."""
    sources = {state: f"src-{letter}-{state.lower()}" for state in states}
    for source in sources.values():
        stage.make_source(source)
    before = stage.listed()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = dict(
            zip(states, pool.map(lambda state: abort(stage, state, sources[state], outer), states), strict=True)
        )
    rehearsals = {state: rehearsal for state, (rehearsal, _) in ended.items()}
    migrations = {state: migration for state, (_, migration) in ended.items()}
    then = stage.listed()
    if outer:
        stage.sweep()
    return Aborted(rehearsals, migrations, before, then, stage.listed())


def abort(stage: Stage, wanted: str, source: str, outer: bool) -> tuple[Event, Event]:
    """Starts a rehearsal of a source and aborts it in a state; its end and its migration's."""
    started: Future[str] = Future()

    def stop() -> None:
        if outer:
            stage.stop_rehearsal(started.result())
        stage.stop_migration(stage.migration_of(started.result()))

    stage.interventions[source] = Intervention(wanted, stop)
    started.set_result(stage.start(source, PATHS.get(wanted, "through-2.11")))
    rehearsal = stage.ended(started.result())
    return rehearsal, stage.ended(stage.migration_of(started.result()))


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LightEnvironment, "closed", ("-fallback",))
        yield


@pytest.fixture(scope="module")
def migrations_aborted(stage: Stage) -> Aborted:
    return abort_all(stage, "m", STATES, outer=False)


@pytest.fixture(scope="module")
def rehearsals_aborted(stage: Stage, migrations_aborted: Aborted) -> Aborted:
    return abort_all(stage, "r", STATES, outer=True)


@pytest.mark.parametrize("state", STATES)
def test_of_a_migration_that_is_aborted_the_rehearsal_leaves_nothing(migrations_aborted: Aborted, state: str) -> None:
    assert end_of(migrations_aborted.migrations[state]) == ABORTED
    rehearsal = migrations_aborted.rehearsals[state]
    assert (rehearsal["status"], rehearsal.get("error")) == ("FAILED", "RehearsalAborted")
    assert of(state, "m", migrations_aborted.after) == of(state, "m", migrations_aborted.before)


@pytest.mark.parametrize("state", STATES)
def test_of_a_rehearsal_that_is_aborted_the_schedule_leaves_nothing(rehearsals_aborted: Aborted, state: str) -> None:
    assert end_of(rehearsals_aborted.migrations[state]) == ABORTED
    assert end_of(rehearsals_aborted.rehearsals[state]) == ABORTED
    # Something was there: a lock at least.
    assert of(state, "r", rehearsals_aborted.then) > of(state, "r", rehearsals_aborted.before)
    assert of(state, "r", rehearsals_aborted.after) == of(state, "r", rehearsals_aborted.before)


def test_nothing_is_left_under_any_other_name(migrations_aborted: Aborted, rehearsals_aborted: Aborted) -> None:
    """What has no source in its name: statements of the bucket's policy."""
    for aborted in (migrations_aborted, rehearsals_aborted):
        assert aborted.after == aborted.before
    assert any(thing.startswith("statement Migration") for thing in rehearsals_aborted.then)
    assert any(thing.startswith("grant ") for thing in rehearsals_aborted.then)


def end_of(execution: Event) -> tuple[str, str | None, str | None]:
    """An execution's status, error and cause."""
    return execution["status"], execution.get("error"), execution.get("cause")


def of(state: str, letter: str, things: set[str]) -> set[str]:
    """Those with the name of a state's source in them."""
    return {thing for thing in things if f"src-{letter}-{state.lower()}" in thing}
