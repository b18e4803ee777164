"""A migration's logs are copied twice: while the DAGs still run, and in their downtime what has come since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration import errors
from migration.aws import clients
from migration.exchange.store import Store

from .conftest import HOUR, Copying
from .test_copy import DAY, archive

Copy = Callable[[bool], dict[str, Any]]


@pytest.fixture
def copy(copying: Copying, planned: dict[str, Any]) -> Copy:
    """Runs the early copy (True) or the last one of a migration; returns its report."""

    def run(early: bool) -> dict[str, Any]:
        copying.list_streams(given={"migration": of(planned), "early": early})
        copying.copy()
        return copying.collect()

    return run


def of(planned: dict[str, Any]) -> dict[str, Any]:
    """The migration between the environments of these tests, of logs of any age."""
    return planned | {
        "source": {**planned["source"], "environment": "old"},
        "target": {**planned["target"], "environment": "new"},
        "options": {**planned["options"], "logs": {**planned["options"]["logs"], "days": None}},
    }


@pytest.fixture
def listed(copying: Copying) -> Callable[[], set[str]]:
    """The streams of the last manifest."""
    return lambda: {name for batch in copying.batches() for name in batch["streams"]}


def test_what_was_copied_early_is_not_looked_at_again(
    copying: Copying, copy: Copy, listed: Callable[[], set[str]]
) -> None:
    for number in range(30):
        copying.fill(f"old{number}", 3)
    copying.clock.sleep(2 * DAY / 1000)
    early = copy(True)
    assert copying.target == copying.source
    assert early["events_copied"] == 90
    copying.clock.sleep(HOUR / 1000)
    copying.fill("new", 4, at=int(copying.clock.now() * 1000) - HOUR // 2)
    copying.service.calls.clear()
    last = copy(False)
    assert copying.target == copying.source
    assert listed() == {"new"}
    assert copying.service.calls["PutLogEvents"] == copying.service.calls["CreateLogStream"] == 1
    assert (last["streams"], last["events_source"], last["events_copied"], last["events_lost"]) == (31, 94, 94, 0)
    assert last["bytes"] > early["bytes"]


def test_a_stream_whose_times_are_not_told_yet_is_copied(copying: Copying, copy: Copy) -> None:
    for number in range(60):
        copying.fill(f"old{number}", 1, at=copying.recent - 40 * DAY)
    copying.clock.sleep(2 * DAY / 1000)
    copy(True)
    copying.clock.sleep(HOUR / 1000)
    copying.service.untimed = 3600.0
    # It stands behind the old ones, on the second page.
    copying.fill("new", 4, at=int(copying.clock.now() * 1000) - HOUR // 2)
    copy(False)
    assert copying.target["new"] == copying.source["new"]


def test_a_stream_behind_old_ones_is_copied(copying: Copying) -> None:
    for number in range(60):
        copying.fill(f"old{number}", 1, at=copying.recent - 40 * DAY)
    copying.service.untimed = 3600.0
    copying.fill("new", 4)
    report = copying.run(days=14)
    assert (report["streams"], report["events_copied"]) == (1, 4)
    assert set(copying.target) == {"new"}


def test_a_stream_that_was_written_to_since_is_compared(
    copying: Copying, copy: Copy, listed: Callable[[], set[str]]
) -> None:
    copying.fill("one", 3)
    copying.fill("two", 3)
    copying.clock.sleep(2 * DAY / 1000)
    copy(True)
    copying.clock.sleep(HOUR / 1000)
    # With times long before: only the ingestion tells.
    copying.fill("two", 2, at=copying.recent + 500)
    last = copy(False)
    assert copying.target == copying.source
    assert listed() == {"two"}
    assert (last["events_copied"], last["events_there_before"], last["events_lost"]) == (8, 3, 0)


def test_the_times_of_a_days_streams_are_not_believed(
    copying: Copying, copy: Copy, listed: Callable[[], set[str]]
) -> None:
    copying.fill("today", 3)
    copy(True)
    assert copy(False)["events_there_before"] == 3
    assert listed() == {"today"}
    assert copying.target == copying.source


def test_what_was_archived_early_is_in_the_archive(copying: Copying, copy: Copy) -> None:
    copying.fill("ancient", 2, at=copying.recent - 15 * DAY)
    copying.clock.sleep(2 * DAY / 1000)
    assert copy(True)["events_archived"] == 2
    copying.clock.sleep(HOUR / 1000)
    last = copy(False)
    assert (last["events_archived"], last["events_lost"]) == (2, 0)
    assert [event["message"] for event in archive(copying)["ancient"]] == ["line 0", "line 1"]


def test_an_early_copy_that_failed_counts_for_nothing(
    copying: Copying, copy: Copy, planned: dict[str, Any], listed: Callable[[], set[str]]
) -> None:
    copying.fill("a", 3)
    copying.clock.sleep(2 * DAY / 1000)
    copying.list_streams(given={"migration": of(planned), "early": True})
    with pytest.raises(errors.LogsIncomplete):
        copying.collect()
    copying.fill("b", 1)
    assert copy(False)["events_copied"] == 4
    assert listed() == {"a", "b"}


def test_each_copy_is_a_phase_of_its_own(copying: Copying, copy: Copy, planned: dict[str, Any]) -> None:
    copying.fill("a", 3)
    copy(True)
    copy(False)
    store = Store(clients.s3(), "exchange", f"migrations/{planned['id']}/{planned['attempt']}")
    ended = [phase["name"] for phase in store.phases() if phase["ended"]]
    assert ended == ["plan", "copy logs early", "copy logs"]
