"""Explores every interleaving of programs that act on one world, breadth first.

A program is ordinary Python that acts by `perform` alone. To take its next step it is run again from its beginning with
the answers that it got before; at the action after those it is suspended. So what a program knows is the list of its
answers, which can be compared and kept, and nothing needs threads. A program may do nothing that depends on anything
else: no clock, no randomness, no memory between runs.

A program that never takes a step again has crashed, so a crash is a step of its own only where it changes the world.
Of the points between two changes that a program makes, the first stands for all. Actions that no other program can see,
*local* ones, come first: whatever their order is, the same states follow.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from mwaa_migrator.errors import MigratorError

from migration.errors import MigrationError

W = TypeVar("W", bound=Hashable)
Action = tuple[Any, ...]


@dataclass(frozen=True)
class Raised:
    """An answer that is an exception."""

    error: type[Exception]


@dataclass(frozen=True)
class Ended:
    """How a program ended: with what it returned, or with an exception's name."""

    outcome: Any


@dataclass(frozen=True)
class Crashed:
    """Gone, at whatever point."""


#: Where a program is: the answers that it got so far, or how it went.
Progress = tuple[Any, ...] | Ended | Crashed


@dataclass(frozen=True)
class State(Generic[W]):
    """`programs` has those that have begun."""

    world: W
    programs: Mapping[str, Progress] = field(default_factory=dict)

    def key(self) -> Hashable:
        return self.world, tuple(sorted(self.programs.items(), key=lambda item: item[0]))

    def after(self, name: str, progress: Progress, world: W) -> State[W]:
        return State(world, {**self.programs, name: progress})


@dataclass(frozen=True)
class Program(Generic[W]):
    """`may_begin` says when; it may be any time later, or never."""

    run: Callable[[], Any]
    may_begin: Callable[[State[W]], bool]


class Rules(Protocol[W]):
    """What the programs' world is like."""

    def act(self, world: W, program: str, action: Action) -> Iterable[tuple[Any, W]]:
        """The answers that an action can have, each with the world after it; none while it has to wait."""

    def crash(self, state: State[W], program: str) -> W | None:
        """The world after a program is gone; None if nobody could tell that from its being slow."""

    def is_local(self, world: W, program: str, action: Action) -> bool:
        """Whether no other program can see the action, nor change its answers."""

    def is_a_change(self, action: Action) -> bool:
        """Whether the action can change the world."""

    def broken(self, state: State[W]) -> str | None:
        """The rule that a state breaks."""


@dataclass(frozen=True)
class Explored:
    """`broken` is the rule that the last state breaks, and `steps` lead there. `ends` are how programs have ended."""

    states: int
    ends: frozenset[Any]
    broken: str | None = None
    steps: tuple[str, ...] = ()


class _Suspended(BaseException):
    """Not an Exception, so that the programs' own handling of errors lets it pass."""


class _Performance:
    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(reversed(answers))
        self.next: Action | None = None

    def perform(self, action: Action) -> Any:
        if self.next is None and self._answers:
            answer = self._answers.pop()
            if isinstance(answer, Raised):
                raise answer.error("as the model has it")
            return answer
        # What a `finally` does while the program is left does not happen.
        self.next = self.next or action
        raise _Suspended


_running: list[_Performance] = []


def perform(*action: Any) -> Any:
    """Do this to the world; returns the world's answer, or raises it."""
    return _running[-1].perform(action)


def next_action(program: Callable[[], Any], answers: Sequence[Any]) -> Action | Ended:
    """What a program does after it has got these answers."""
    performance = _Performance(answers)
    _running.append(performance)
    try:
        ended = Ended(program())
    except _Suspended:
        ended = Ended(None)
    except (MigrationError, MigratorError) as error:
        ended = Ended(type(error).__name__)
    finally:
        _running.pop()
    return performance.next or ended


class Explorer(Generic[W]):
    def __init__(self, programs: Mapping[str, Program[W]], rules: Rules[W]) -> None:
        self._programs = programs
        self._rules = rules
        self._actions: dict[tuple[str, Progress], Action | Ended] = {}

    def explore(self, world: W, most: int = 1_000_000) -> Explored:
        """Stops at the first state that breaks a rule, which is one of the nearest, or after `most` states."""
        first: State[W] = State(world)
        # By hashes, of which two are equal once in 2^64 pairs; the keys would take gigabytes.
        came_by: dict[int, tuple[int, str] | None] = {hash(first.key()): None}
        waiting = deque([first])
        ends: set[Any] = set()
        while waiting:
            state = waiting.popleft()
            rule = self._rules.broken(state)
            if rule is not None:
                return Explored(len(came_by), frozenset(ends), rule, _steps(came_by, hash(state.key())))
            own = hash(state.key())
            for step, following in self._successors(state):
                key = hash(following.key())
                ends.update(of.outcome for of in following.programs.values() if isinstance(of, Ended))
                if key not in came_by:
                    came_by[key] = own, step
                    waiting.append(following)
            assert len(came_by) <= most, "the model has more states than it should have"
        return Explored(len(came_by), frozenset(ends))

    def _successors(self, state: State[W]) -> Iterator[tuple[str, State[W]]]:
        at_work = self._at_work(state)
        for name, (progress, action) in at_work.items():
            if progress and self._rules.is_local(state.world, name, action):
                at_work = {name: (progress, action)}
                break
        for name, (progress, action) in at_work.items():
            crashed = self._rules.crash(state, name) if self._has_just_changed(name, progress) else None
            if crashed is not None:
                yield f"{name} crashes", state.after(name, Crashed(), crashed)
            for answer, world in self._rules.act(state.world, name, action):
                answers = (*progress, answer)
                then = self._action(name, answers)
                yield (
                    self._step(name, action, answer),
                    state.after(name, then if isinstance(then, Ended) else answers, world),
                )

    def _step(self, name: str, action: Action, answer: Any) -> str:
        return sys.intern(f"{name}: {action} -> {answer!r}")

    def _has_just_changed(self, name: str, progress: tuple[Any, ...]) -> bool:
        if not progress:
            return False
        last = self._action(name, progress[:-1])
        assert not isinstance(last, Ended)
        return self._rules.is_a_change(last)

    def _at_work(self, state: State[W]) -> dict[str, tuple[tuple[Any, ...], Action]]:
        found = {}
        for name, program in self._programs.items():
            progress = state.programs.get(name, ())
            if isinstance(progress, (Ended, Crashed)) or (name not in state.programs and not program.may_begin(state)):
                continue
            action = self._action(name, progress)
            assert not isinstance(action, Ended), f"{name} does nothing"
            found[name] = progress, action
        return found

    def _action(self, name: str, answers: tuple[Any, ...]) -> Action | Ended:
        key = name, answers
        if key not in self._actions:
            self._actions[key] = next_action(self._programs[name].run, answers)
        return self._actions[key]


def _steps(came_by: Mapping[int, tuple[int, str] | None], key: int) -> tuple[str, ...]:
    steps: list[str] = []
    while (before := came_by[key]) is not None:
        key, step = before
        steps.append(step)
    return tuple(reversed(steps))
