"""A rehearsal that is aborted by hand in each state, of both state machines: what is listed afterwards is as before.

A few at once, each in a rehearsal of a source of its own, because most of a rehearsal is waiting. The function of the
state has done its work by then, and Step Functions has not been told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from migration.airflow import our_dags, runs

from .light_environment import LightEnvironment
from .stage import Event, Intervention, Stage, task_states

# A rehearsal quiesces nothing, cuts nothing over, and rolls back only what has failed.
NOT_REACHED = ("StageRollBack", "CutOver", "RollBack")
# The runs of our DAGs in a rehearsal, each of which is started and waited for in the same two states.
_STEPS = [runs.of_step(dag, step) for step in (our_dags.BASE, "") for dag in (our_dags.EXPORT, our_dags.IMPORT)]
RUNS = (our_dags.PROBE, our_dags.TARGET_PROBE, *_STEPS)
# Each needs processes of its own for the functions, which take longer to start than to work.
AT_ONCE = 3


class Place(NamedTuple):
    """Where a rehearsal is aborted: in a state, and if that is about a run of our DAGs, in that of this run."""

    state: str
    run: str = ""

    @property
    def name(self) -> str:
        """Short, because the names of executions have only a part of a source's that is longer."""
        of_state = self.state.removesuffix("Run") if self.run else self.state
        return f"{of_state}{self.run.removeprefix(our_dags.NAME).replace('_', '')}".lower()

    @property
    def path(self) -> str:
        """The path that leads there; one falls back to the one through 2.11, where the target lets no task in."""
        if self.run == our_dags.TARGET_PROBE:
            return "direct"
        return "auto" if self.state == "FallBack" else "through-2.11"


def _places() -> Iterator[Place]:
    for state in (*task_states("migrate"), *task_states("copy_logs")):
        if state in ("TriggerRun", "CheckRun"):
            yield from (Place(state, run) for run in RUNS)
        elif state not in NOT_REACHED:
            yield Place(state)


PLACES = list(_places())
ABORTED = ("ABORTED", None, None)


@dataclass
class Aborted:
    """Rehearsals by the place in which they were aborted, and what was listed before and after."""

    rehearsals: dict[Place, Event]
    migrations: dict[Place, Event]
    before: set[str]
    then: set[str]
    after: set[str]


def abort_all(stage: Stage, letter: str, places: list[Place], *, outer: bool) -> Aborted:
    """Aborts the migrations of rehearsals, or with `outer` the rehearsals too."""
    sources = {place: f"src-{letter}-{place.name}" for place in places}
    for source in sources.values():
        stage.make_source(source)
    before = stage.listed()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = dict(
            zip(places, pool.map(lambda place: abort(stage, place, sources[place], outer), places), strict=True)
        )
    rehearsals = {place: rehearsal for place, (rehearsal, _) in ended.items()}
    migrations = {place: migration for place, (_, migration) in ended.items()}
    then = stage.listed()
    if outer:
        stage.sweep()
    return Aborted(rehearsals, migrations, before, then, stage.listed())


def abort(stage: Stage, wanted: Place, source: str, outer: bool) -> tuple[Event, Event]:
    """Starts a rehearsal of a source and aborts it in a place; its end and its migration's."""
    started: Future[str] = Future()

    def stop() -> None:
        if outer:
            stage.stop_rehearsal(started.result())
        stage.stop_migration(stage.migration_of(started.result()))

    stage.interventions[source] = Intervention(wanted.state, stop, wanted.run)
    started.set_result(stage.start(source, wanted.path))
    rehearsal = stage.ended(started.result())
    return rehearsal, stage.ended(stage.migration_of(started.result()))


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LightEnvironment, "closed", ("-fallback",))
        yield


@pytest.fixture(scope="module")
def migrations_aborted(stage: Stage) -> Aborted:
    return abort_all(stage, "m", PLACES, outer=False)


@pytest.fixture(scope="module")
def rehearsals_aborted(stage: Stage, migrations_aborted: Aborted) -> Aborted:
    return abort_all(stage, "r", PLACES, outer=True)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_of_a_migration_that_is_aborted_the_rehearsal_leaves_nothing(migrations_aborted: Aborted, place: Place) -> None:
    assert end_of(migrations_aborted.migrations[place]) == ABORTED
    rehearsal = migrations_aborted.rehearsals[place]
    assert (rehearsal["status"], rehearsal.get("error")) == ("FAILED", "RehearsalAborted")
    assert of(place, "m", migrations_aborted.after) == of(place, "m", migrations_aborted.before)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_of_a_rehearsal_that_is_aborted_the_schedule_leaves_nothing(rehearsals_aborted: Aborted, place: Place) -> None:
    assert end_of(rehearsals_aborted.migrations[place]) == ABORTED
    assert end_of(rehearsals_aborted.rehearsals[place]) == ABORTED
    # Something was there: a lock at least.
    assert of(place, "r", rehearsals_aborted.then) > of(place, "r", rehearsals_aborted.before)
    assert of(place, "r", rehearsals_aborted.after) == of(place, "r", rehearsals_aborted.before)


def test_nothing_is_left_under_any_other_name(migrations_aborted: Aborted, rehearsals_aborted: Aborted) -> None:
    """What has no source in its name: statements of the bucket's policy."""
    for aborted in (migrations_aborted, rehearsals_aborted):
        assert aborted.after == aborted.before
    assert any(thing.startswith("statement Migration") for thing in rehearsals_aborted.then)
    assert any(thing.startswith("grant ") for thing in rehearsals_aborted.then)


def end_of(execution: Event) -> tuple[str, str | None, str | None]:
    """An execution's status, error and cause."""
    return execution["status"], execution.get("error"), execution.get("cause")


def of(place: Place, letter: str, things: set[str]) -> set[str]:
    """Those with the name of a place's source in them."""
    return {thing for thing in things if re.search(rf"src-{letter}-{place.name}(?![a-z])", thing)}
