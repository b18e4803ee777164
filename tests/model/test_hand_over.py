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
from migration.observability import logger
from tests.model import hand_over
from tests.model.explorer import Explored, Explorer
from tests.model.hand_over import QUIESCE_AGAIN

PAGE = ROOT / "docs" / "hand-over.md"


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    hand_over.replace_world(monkeypatch)
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(logging.INFO)


def explore(*without: str) -> Explored:
    programs = {name: program for name, program in hand_over.programs().items() if name not in without}
    return Explorer(programs, hand_over.Rules()).explore(hand_over.World())


def test_every_order_of_actions_keeps_the_rules(record_property: Callable[[str, object], None]) -> None:
    found = explore()
    record_property("states", found.states)
    sys.stdout.write(f"{found.states:,} states\n")
    assert found.broken is None, "\n".join(found.steps)
    # It comes to both ends, and to many states before them.
    assert found.ends >= {hand_over.CUT_OVER, hand_over.ROLLED_BACK, hand_over.NOT_ROLLED_BACK}
    assert found.states > 100_000


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
    found = explore() if "lists" in change else explore(QUIESCE_AGAIN)
    assert found.broken == rule
    assert found.steps


def test_the_page_names_the_changes() -> None:
    listed = PAGE.read_text().partition("<!-- changes -->")[2].strip().splitlines()
    assert listed == [f"- {change};" for change in list(CHANGES)[:-1]] + [f"- {list(CHANGES)[-1]}."]
