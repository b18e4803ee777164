"""The hand-over keeps the rules of docs/hand-over.md in every order of its actions; each change breaks one of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mwaa_migrator.dag_tasks import quiesce as module
from mwaa_migrator.dag_tasks import tasks

import cut_over
import roll_back
from local.installations.folders import ROOT
from tests.model import hand_over
from tests.model.explorer import Explored, Explorer
from tests.model.hand_over import CUT_OVER_AGAIN, QUIESCE_AGAIN, SECOND_EXECUTION

# What has ended when the target's DAGs are unpaused.
_BEFORE = ("quiesce", QUIESCE_AGAIN, "drain", "export", "import")

PAGE = ROOT / "docs" / "hand-over.md"


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    hand_over.replace_world(monkeypatch)
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def explore(*without: str, world: hand_over.World | None = None) -> Explored:
    programs = {name: program for name, program in hand_over.programs().items() if name not in without}
    return Explorer(programs, hand_over.Rules(by_run=world is not None)).explore(world or hand_over.World())


@pytest.mark.parametrize("without", [QUIESCE_AGAIN, SECOND_EXECUTION])
def test_every_order_of_actions_keeps_the_rules(without: str) -> None:
    """With a second execution, and with a second quiesce beside the first."""
    found = explore(without)
    sys.stdout.write(f"{found.states:,} states\n")
    assert found.broken is None, "\n".join(found.steps)
    # It comes to each end.
    assert found.ends >= {hand_over.CUT_OVER, hand_over.ROLLED_BACK, hand_over.NOT_ROLLED_BACK}
    assert found.states > 10_000


def test_every_order_of_a_cut_over_by_a_run_keeps_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the import on: the run that unpauses against the functions that ask for it and take that back."""
    hand_over.replace_world(monkeypatch, by_run=True)
    found = explore(*_BEFORE, CUT_OVER_AGAIN, world=hand_over.before_cut_over())
    sys.stdout.write(f"{found.states:,} states\n")
    assert found.broken is None, "\n".join(found.steps)
    assert found.ends >= {hand_over.CUT_OVER, hand_over.ROLLED_BACK, "CutOverWithdrawn", None}


def test_a_run_that_commits_long_after_its_last_look_breaks_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the protocol assumes is needed: a command that pauses does not wait for what is not committed."""
    hand_over.replace_world(monkeypatch, by_run=True)
    monkeypatch.setattr(hand_over._CutOverStorage, "_look", hand_over._Storage._look)
    found = explore(*_BEFORE, CUT_OVER_AGAIN, world=hand_over.before_cut_over())
    assert found.broken == "active in both"


def _quiesce(
    lists_first: bool = True, remembers_first: bool = True, looks_again: bool = True, commits_late: bool = True
) -> Callable[..., dict[str, Any]]:
    """What quiesce does, but for one thing."""

    def quiesce(storage: Any, options: Any, progress: Any) -> dict[str, Any]:
        with hand_over.source_database() as source:
            module.require_open(storage)
            before = module._remembered(storage)
            active = hand_over.active_dags(source)
            active = sorted({*active, *(module._remembered(storage) if lists_first else before)})
            if remembers_first:
                storage.write_json(module.MEMORY, {"active_dags": active})
            hand_over.change_states(source, active, True)
            if not commits_late or not remembers_first:
                source.connection.commit()
            if not remembers_first:
                storage.write_json(module.MEMORY, {"active_dags": active})
            if looks_again:
                module.require_open(storage)
            source.connection.commit()
            return {"active_dags": active}

    return quiesce


def _resume(reads_before: bool = False, closes: bool = True) -> Callable[..., int]:
    """What resume does, but for one thing."""

    def put_back(source: Any, storage: Any) -> int:
        before = module._remembered(storage)
        if closes:
            storage.write_json(module.CLOSED, {"resumed": False})
        return hand_over.set_paused(source, before if reads_before else module._remembered(storage), False)

    return put_back


#: What each change sets, and the rule that it breaks.
CHANGES: dict[str, tuple[Any, str, Any, str]] = {
    "quiesce reads what was remembered before it lists the active DAGs": (
        tasks, "quiesce", _quiesce(lists_first=False), "paused in both after the hand-over",
    ),
    "quiesce pauses before it remembers": (
        tasks, "quiesce", _quiesce(remembers_first=False), "paused in both after the hand-over",
    ),
    "quiesce commits before it looks again": (
        tasks, "quiesce", _quiesce(commits_late=False), "paused in both after the hand-over",
    ),
    "quiesce does not look again": (
        tasks, "quiesce", _quiesce(looks_again=False), "paused in both after the hand-over",
    ),
    "resume reads what was remembered before it closes": (
        module, "_put_back", _resume(reads_before=True), "paused in both after the hand-over",
    ),
    "resume does not close": (
        module, "_put_back", _resume(closes=False), "paused in both after the hand-over",
    ),
    "RollBack does not pause the target's DAGs": (
        roll_back, "_pause_target", lambda migration, done: (done, True), "active in both",
    ),
    "CutOver does not ask whether a rollback has begun": (
        cut_over, "_require_no_rollback", lambda store: None, "active in both",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_breaks_a_rule(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, instead, rule = CHANGES[change]
    monkeypatch.setattr(where, name, instead)
    # One task beside itself is enough where that is what a change needs.
    found = explore(SECOND_EXECUTION if "lists" in change else QUIESCE_AGAIN)
    assert found.broken == rule
    assert found.steps


def test_the_page_names_the_changes() -> None:
    listed = PAGE.read_text().partition("<!-- changes -->")[2].strip().splitlines()
    assert listed == [f"- {change};" for change in list(CHANGES)[:-1]] + [f"- {list(CHANGES)[-1]}."]
