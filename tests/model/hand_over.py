"""The hand-over of two DAGs, for the explorer: the code that hands over, on a world of three small things.

The world is the exchange bucket, the pause states in both databases with their row locks, and the runs that were
triggered. The programs are the tasks of our DAGs and the state machine's functions as they are; what they call to reach
the world is replaced by `perform`. docs/hand-over.md is the protocol in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import unwrap
from types import SimpleNamespace
from typing import Any

import pytest
from mwaa_migrator.dag_tasks import cut_over as cut_over_module
from mwaa_migrator.dag_tasks import quiesce as quiesce_module
from mwaa_migrator.dag_tasks import tasks
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.progress import Progress

import cut_over
import roll_back
from migration import errors, phase_names
from migration.airflow import cut_over_run, our_dags, pausing, runs
from migration.airflow.cut_over_run import CutOverRun
from migration.environments import dag_folder
from migration.exchange import layout
from tests.model.explorer import Action, Crashed, Ended, Program, Raised, State, perform

SOURCE, TARGET = "source", "target"
DAGS = ("a", "b")

QUIESCE_AGAIN, CUT_OVER_AGAIN = "quiesce again", "cut over again"
EXECUTION, SECOND_EXECUTION = "execution", "second execution"
CUT_OVER, ROLLED_BACK, NOT_ROLLED_BACK = "cut over", "rolled back", "not rolled back"

_PHASES = (phase_names.EXPORT, phase_names.CUT_OVER, phase_names.ROLL_BACK)
# Objects that executions alone read and write, of which there is one at a time.
_OF_CUT_OVER_RUN = (layout.CUT_OVER_REQUEST, layout.CUT_OVER_BEGUN, layout.result("import", layout.CUT_OVER_RUN))
_OF_EXECUTIONS = (layout.CUT_OVER, layout.ROLLED_BACK, *(layout.phase(name) for name in _PHASES))

_RESULTS = {our_dags.EXPORT: "export", our_dags.IMPORT: "import", our_dags.RESUME: "resume"}
_MIGRATION: Any = {
    "source": {"environment": SOURCE, "region": "", "bucket": "", "dagsPath": "", "airflowVersion": ""},
    "target": {"environment": TARGET, "region": "", "bucket": "", "dagsPath": "", "airflowVersion": ""},
    "options": {"dagRunTimeoutSeconds": 1, "pollSeconds": 1},
    "executionDate": "",
    "artifact": "",
    "adopted": None,
    "hops": [],
}
_OPTIONS = {"probe": False, "quiesce": True, "drainSeconds": 0, "drainPolicy": "fail", "asBase": False, "deltaOf": None}
_CUT_OVER_OPTIONS = {"probe": False, "cutOver": True}


@dataclass(frozen=True)
class Transaction:
    """A program's, which has locked the rows of these DAGs and gives them a state when it commits."""

    program: str
    side: str
    dags: tuple[str, ...]
    paused: bool


@dataclass(frozen=True)
class World:
    """`active` has ``(side, DAG)``; `ran_on` are the DAGs that were active in the source after the snapshot.

    `cut_over` is the receipt of the task that unpauses the target's DAGs.
    """

    objects: tuple[tuple[str, str], ...] = ()
    active: frozenset[tuple[str, str]] = frozenset((SOURCE, dag) for dag in DAGS)
    runs: frozenset[str] = frozenset()
    exported: bool = False
    ran_on: frozenset[str] = frozenset()
    cut_over: bool = False
    transactions: tuple[Transaction, ...] = ()

    def read(self, name: str) -> str | None:
        return dict(self.objects).get(name)

    def written(self, name: str, text: str) -> World:
        return replace(self, objects=tuple(sorted({**dict(self.objects), name: text}.items())))

    def active_in(self, side: str) -> tuple[str, ...]:
        return tuple(sorted(dag for of, dag in self.active if of == side))

    def with_states(self, side: str, dags: Iterable[str], paused: bool) -> World:
        changed = {(side, dag) for dag in dags}
        active = self.active - changed if paused else self.active | changed
        ran_on = self.ran_on | {dag for of, dag in active if of == SOURCE} if self.exported else self.ran_on
        return replace(self, active=active, ran_on=ran_on)

    def without(self, program: str) -> World:
        """After a program's transaction was rolled back."""
        return replace(self, transactions=tuple(one for one in self.transactions if one.program != program))


class RunFailed(errors.MigrationError):
    """What the state machine sees of a run that has failed or takes too long."""


class CommandFailed(errors.MigrationError):
    """A command that Airflow's CLI did not do."""


class Rules:
    """For the explorer. `by_run` is as for `replace_world`: without that run nobody but executions has its objects."""

    def __init__(self, by_run: bool = False) -> None:
        self._local = _OF_EXECUTIONS if by_run else (*_OF_EXECUTIONS, *_OF_CUT_OVER_RUN)

    def act(self, world: World, program: str, action: Action) -> Iterator[tuple[Any, World]]:
        """Every answer that the world can give."""
        kind, *details = action
        if kind == "read":
            yield world.read(details[0]), world
        elif kind == "write":
            yield None, world.written(*details)
        elif kind == "active":
            yield world.active_in(details[0]), world
        elif kind == "change":
            side, dags, paused = details
            if not any(one.side == side and set(one.dags) & set(dags) for one in world.transactions):
                transaction = Transaction(program, side, dags, paused)
                yield len(dags), replace(world, transactions=(*world.transactions, transaction))
        elif kind == "commit":
            own = [one for one in world.transactions if one.program == program]
            after = world.without(program)
            for one in own:
                after = after.with_states(one.side, one.dags, one.paused)
                after = replace(after, cut_over=after.cut_over or one.side == TARGET)
            yield None, after
        elif kind == "look and commit":
            request = world.read(details[0])
            if request is None or json.loads(request)["withdrawn"] is not None:
                yield request, world
            else:
                ((_, after),) = self.act(world, program, ("commit",))
                yield request, after
        elif kind == "receipt":
            yield world.cut_over, world
        elif kind == "until":
            if world.read(details[0]) is not None:
                yield None, world
        elif kind == "rollback":
            yield None, world.without(program)
        elif kind == "command":
            side, dag, paused = details
            if ((side, dag) in world.active) is not paused:
                # It looks for DAGs to change before it locks any, so it does not wait for what is not committed.
                yield None, world
            elif not any(one.side == side and dag in one.dags for one in world.transactions):
                yield None, world.with_states(side, [dag], paused)
            yield Raised(CommandFailed), world
        elif kind == "running tasks":
            yield 0, world
            yield 1, world
        elif kind == "export":
            yield None, replace(world, exported=True, ran_on=frozenset(world.active_in(SOURCE)))
        elif kind == "trigger":
            yield None, replace(world, runs=world.runs | {details[0]})
        elif kind == "await":
            if _has_result(world, details[0]):
                yield None, world
            yield Raised(RunFailed), world
        elif kind == "come to":
            # An execution whose patience ends is the same as one that is aborted.
            if _has_result(world, details[0]):
                yield None, world
        elif kind == "is triggered":
            yield details[0] in world.runs, world
        else:
            assert kind == "choose"
            for choice in details:
                yield choice, world

    def crash(self, state: State[World], program: str) -> World | None:
        """The database rolls back what a program has begun, and after an execution another one may begin."""
        world = state.world.without(program)
        return world if world != state.world or program == EXECUTION else None

    def is_local(self, world: World, program: str, action: Action) -> bool:
        kind, *details = action
        if kind in ("commit", "rollback"):
            return all(one.program != program for one in world.transactions)
        return kind in ("choose", "running tasks") or (kind in ("read", "write") and details[0] in self._local)

    def is_a_change(self, action: Action) -> bool:
        return action[0] in ("write", "change", "commit", "rollback", "command", "trigger", "export")

    def broken(self, state: State[World]) -> str | None:
        """The rule that a state breaks; docs/hand-over.md has all of them."""
        world = state.world
        ended = {of.outcome for of in state.programs.values() if isinstance(of, Ended)}
        for dag in DAGS:
            in_source, in_target = (SOURCE, dag) in world.active, (TARGET, dag) in world.active
            if in_source and in_target:
                return "active in both"
            if in_target and dag in world.ran_on:
                return "active in the target without what ran in the source after the export"
            if not in_source and not in_target and ended & {CUT_OVER, ROLLED_BACK}:
                return "paused in both after the hand-over"
        return None


def _has_result(world: World, run: str) -> bool:
    text = world.read(f"{_RESULTS[run]}.json")
    return text is not None and json.loads(text)["status"] == "done"


class _Storage:
    """The artifact's folder for the engine."""

    folder, url = "artifact", "s3://exchange/artifact"

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._found: dict[str, str] = {}

    def size(self, name: str) -> int | None:
        """Asked just before an object is read; what it is then counts."""
        text = self._look(name)
        if text is None:
            return None
        self._found[name] = text
        return len(text)

    def _look(self, name: str) -> str | None:
        text: str | None = perform("read", self._folder + name)
        return text

    def read_bytes(self, name: str) -> bytes:
        return self._found[name].encode()

    def write_json(self, name: str, content: Any) -> None:
        perform("write", self._folder + name, json.dumps(content, sort_keys=True))

    def child(self, name: str) -> _Storage:
        return _Storage(f"{self._folder}{name}/")


class _CutOverStorage(_Storage):
    """Of the task that unpauses the target's DAGs: its second look at the request and its commit are one step.

    That the one follows the other within seconds, and a rollback takes longer, is assumed (docs/hand-over.md).
    """

    def _look(self, name: str) -> str | None:
        again = name == cut_over_module.REQUEST and name in self._found
        text: str | None = perform("look and commit" if again else "read", self._folder + name)
        return text


class _Store:
    """The attempt's, or the artifact's, for the functions."""

    def read(self, name: str) -> Any:
        text = perform("read", name)
        return None if text is None else json.loads(text)

    def write(self, name: str, content: Any) -> None:
        perform("write", name, json.dumps(content, sort_keys=True, default=str))

    def start_phase(self, name: str) -> None:
        perform("write", layout.phase(name), json.dumps({"name": name}))

    def end_phase(self, name: str) -> None:
        perform("write", layout.phase(name), json.dumps({"name": name, "ended": True}))

    def phases(self) -> list[dict[str, Any]]:
        return [found for name in _PHASES if (found := self.read(layout.phase(name))) is not None]


class _Database:
    """One of the two metadata databases."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.place = SimpleNamespace(way_in="")
        self.connection = SimpleNamespace(commit=lambda: perform("commit"), rollback=lambda: perform("rollback"))


@contextmanager
def source_database() -> Iterator[_Database]:
    database = _Database(SOURCE)
    try:
        yield database
    except MigratorError:
        # Its connection is closed.
        database.connection.rollback()
        raise


def active_dags(database: _Database) -> list[str]:
    return list(perform("active", database.side))


def change_states(database: _Database, dags: Iterable[str], paused: bool) -> int:
    return int(perform("change", database.side, tuple(dags), paused))


def set_paused(database: _Database, dags: Iterable[str], paused: bool) -> int:
    changed = change_states(database, dags, paused)
    database.connection.commit()
    return changed


def _commands(cli: str, dag_ids: list[str], *, paused: bool, done: int, seconds: float) -> int:
    for dag in dag_ids[done:]:
        perform("command", cli, dag, paused)
    return len(dag_ids)


def _require_paused(cli: str, environment: str, dag_ids: list[str]) -> bool:
    # A web server that hangs, or an Airflow that does not say it.
    if perform("choose", "seen", "unseen") == "unseen":
        return False
    if set(perform("active", environment)) & set(dag_ids):
        raise errors.SourceActive
    return True


@contextmanager
def target_database(application_name: str) -> Iterator[_Database]:
    database = _Database(TARGET)
    try:
        yield database
    except MigratorError:
        database.connection.rollback()
        raise


def _ticks() -> Callable[[], float]:
    """A clock by which every wait ends at the second look."""
    seconds = iter(range(0, 100_000, 100))
    return lambda: float(next(seconds))


@dataclass(frozen=True)
class _Cli:
    """Airflow's command line for one of our runs; `starts` says whether it can start the one that cuts over."""

    run: str
    starts: bool

    def run_state(self, dag: str, run: str, date: str) -> Any:
        return SimpleNamespace(state="running" if perform("is triggered", self.run) else None)

    def unpause(self, dag: str) -> bool:
        return True

    def trigger(self, dag: str, *_: Any) -> None:
        if self.run == our_dags.CUT_OVER and not self.starts:
            raise errors.DagRunRefused("as the model has it")
        perform("trigger", self.run)


def replace_world(patch: pytest.MonkeyPatch, by_run: bool = False) -> None:
    """Has the code act on the model's world. `by_run`: a run unpauses the target's DAGs, or else commands do."""
    patch.setattr(quiesce_module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    patch.setattr(quiesce_module, "metadata_database", source_database)
    patch.setattr(quiesce_module, "require_exportable", lambda source, options: None)
    patch.setattr(quiesce_module, "export_options", lambda options: None)
    patch.setattr(quiesce_module, "active_dags", active_dags)
    patch.setattr(quiesce_module, "count_running_tasks", lambda source: perform("running tasks"))
    patch.setattr(quiesce_module, "change_states", change_states)
    patch.setattr(quiesce_module, "set_paused", set_paused)
    patch.setattr(tasks, "export", lambda *_: perform("export"))
    patch.setattr(tasks, "export_options", lambda options: None)
    patch.setattr(tasks, "summary", lambda artifact: {})
    for module in (cut_over, roll_back):
        patch.setattr(module, "require_locks", lambda migration, execution: None)
        patch.setattr(module, "of_attempt", lambda s3, migration: _Store())
        patch.setattr(module, "CutOverRun", lambda migration: CutOverRun(migration, _ticks(), lambda seconds: None))
    for module in (cut_over, roll_back, cut_over_run):
        patch.setattr(module, "of_artifact", lambda s3, migration: _Store())
        patch.setattr(module, "clients", SimpleNamespace(s3=lambda *_: None, mwaa=lambda *_: None))
    patch.setattr(cut_over_module, "metadata_database", target_database)
    patch.setattr(cut_over_module, "change_states", change_states)
    patch.setattr(cut_over_module, "find_cut_over", lambda *_: {"unknown": []} if perform("receipt") else None)
    patch.setattr(cut_over_module, "note_cut_over", lambda *_: None)
    patch.setattr(cut_over_module, "catch_up_schedules", lambda *_: 0)
    patch.setattr(cut_over_module, "unknown_dags", lambda *_: [])
    waiting = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: perform("until", layout.CUT_OVER_REQUEST))
    patch.setattr(cut_over_module, "time", waiting)
    patch.setattr(roll_back, "get", lambda *_: {"Status": "AVAILABLE", "AirflowVersion": ""})
    patch.setattr(dag_folder, "remove_our_dags", lambda *_: 0)
    patch.setattr(roll_back, "now", lambda: "")
    patch.setattr(pausing, "set_paused", _commands)
    patch.setattr(pausing, "require_paused", _require_paused)
    patch.setattr(runs, "active_dags", lambda artifact: (artifact.read("quiesce.json") or {}).get("active_dags", []))
    patch.setattr(runs, "quiesces", lambda migration: True)
    patch.setattr(runs, "run_id", lambda migration, run: run)
    patch.setattr(runs, "conf", lambda migration, run: {})
    patch.setattr(runs, "cli", lambda migration, run: _Cli(run, by_run))
    patch.setattr(runs, "date_of", lambda migration, run: "")
    patch.setattr(runs, "cli_of", lambda side, version: side["environment"])
    patch.setattr(runs, "final_cli", lambda migration, version="": TARGET)


def _task(name: str) -> Callable[[], None]:
    """A task as `run_task` runs it: what it has done or failed with is an object."""

    def run() -> None:
        storage = _Storage()
        result: dict[str, Any] = {
            "run_id": our_dags.RESUME if name == "resume" else our_dags.EXPORT,
            "status": "failed",
        }
        try:
            result.update(tasks.TASKS[name].work(storage, _OPTIONS, Progress(), ""))  # type: ignore[arg-type]
            result["status"] = "done"
        finally:
            storage.write_json(f"{name}.json", result)

    return run


def _cut_over() -> None:
    """The task of that run."""
    storage = _CutOverStorage(f"{cut_over_module.CUT_OVER_FOLDER}/")
    result: dict[str, Any] = {"run_id": our_dags.CUT_OVER, "status": "failed"}
    try:
        result.update(cut_over_module.cut_over(storage, Progress(), our_dags.CUT_OVER))  # type: ignore[arg-type]
        result["status"] = "done"
    finally:
        storage.write_json("import.json", result)


def _import() -> None:
    _Storage().write_json("import.json", {"run_id": our_dags.IMPORT, "status": "done"})


def _migrate() -> str:
    """An execution, from the export on. What fails leads to RollBack; what was finished before is not done again."""
    store = _Store()
    try:
        for run in (our_dags.EXPORT, our_dags.IMPORT):
            if run == our_dags.EXPORT:
                store.start_phase(phase_names.EXPORT)
            perform("trigger", run)
            perform("await", run)
        unwrap(cut_over.handler)(execution="", migration=_MIGRATION, done=0)
    except errors.MigrationError:
        return _roll_back()
    return CUT_OVER


def _roll_back() -> str:
    """RollBack, called until it is ready, or until the state machine gives up."""
    handler = unwrap(roll_back.handler)
    try:
        while not handler(execution="", migration=_MIGRATION, waited_seconds=0, done=0).ready:
            perform("come to", our_dags.RESUME)
    except errors.MigrationError:
        return NOT_ROLLED_BACK
    return ROLLED_BACK


def _second_execution() -> str:
    """After one that was aborted or could not roll back: the same input again, or a rollback by hand."""
    if perform("read", layout.ROLLED_BACK) is not None:
        return "another attempt"
    return _migrate() if perform("choose", "migrate", "roll back") == "migrate" else _roll_back()


def _after(name: str) -> Callable[[State[World]], bool]:
    """A task begins when the one before it is done."""
    return lambda state: json.loads(state.world.read(f"{name}.json") or "{}").get("status") == "done"


def _triggered(run: str) -> Callable[[State[World]], bool]:
    return lambda state: run in state.world.runs


def programs() -> Mapping[str, Program[World]]:
    """Tasks may begin at any time after their run was triggered, and quiesce twice, also side by side."""
    return {
        EXECUTION: Program(_migrate, lambda state: True),
        SECOND_EXECUTION: Program(
            _second_execution, lambda state: state.programs.get(EXECUTION) in (Crashed(), Ended(NOT_ROLLED_BACK))
        ),
        "quiesce": Program(_task("quiesce"), _triggered(our_dags.EXPORT)),
        QUIESCE_AGAIN: Program(
            _task("quiesce"), lambda state: "quiesce" in state.programs and _triggered(our_dags.EXPORT)(state)
        ),
        "drain": Program(_task("drain"), _after("quiesce")),
        "export": Program(_task("export"), _after("drain")),
        "import": Program(_import, lambda state: _triggered(our_dags.IMPORT)(state) and _after("export")(state)),
        "resume": Program(_task("resume"), _triggered(our_dags.RESUME)),
        "cut over": Program(_cut_over, _triggered(our_dags.CUT_OVER)),
        CUT_OVER_AGAIN: Program(
            _cut_over, lambda state: "cut over" in state.programs and _triggered(our_dags.CUT_OVER)(state)
        ),
    }


def before_cut_over() -> World:
    """The world after the import, when both of a DAG's sides are paused."""
    done = {"status": "done", "active_dags": list(DAGS)}
    objects = {
        "active_dags.json": {"active_dags": list(DAGS)},
        "quiesce.json": {**done, "run_id": our_dags.EXPORT},
        "drain.json": {**done, "run_id": our_dags.EXPORT},
        "export.json": {**done, "run_id": our_dags.EXPORT},
        "import.json": {**done, "run_id": our_dags.IMPORT},
    }
    texts = tuple(sorted((name, json.dumps(content, sort_keys=True)) for name, content in objects.items()))
    return World(texts, active=frozenset(), exported=True)
