"""One copy at a time writes to the log groups of an environment."""

from __future__ import annotations

from typing import Any

import pytest

import copy_log_events
import list_log_streams
from migration import errors
from migration.aws import clients
from tests.unit.functions.conftest import Handler
from tests.unit.functions.exchange.test_locks import Executions

from .conftest import Copying

FIRST, SECOND = (f"arn:aws:states:eu-west-1:123456789012:execution:mwaa-migrator-copy-logs:{n}" for n in ("one", "two"))


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    executions = Executions(FIRST, SECOND)
    monkeypatch.setattr(clients, "states", lambda: executions)
    return executions


def start(call: Handler, execution: str, target: str = "new") -> dict[str, Any]:
    given = {"source": {"environment": "old"}, "target": {"environment": target}}
    name = execution.rsplit(":", 1)[-1]
    return call(list_log_streams, execution=name, executionArn=execution, input=given, progress=None)


def test_a_second_copy_is_refused_while_the_first_runs(copying: Copying, call: Handler, executions: Executions) -> None:
    start(call, FIRST)
    with pytest.raises(errors.LogCopyUnderWay, match=r"new in eu-west-1 .*by the log copy logs-new-one.*copy-logs:one"):
        start(call, SECOND)
    # A listing that takes several invocations, or is tried again.
    start(call, FIRST)
    # Another target is nobody's business.
    start(call, SECOND, "other")
    executions.running.remove(FIRST)
    start(call, SECOND)


def test_a_refused_copy_has_touched_nothing(copying: Copying, call: Handler, executions: Executions) -> None:
    start(call, FIRST)
    del copying.service.groups["airflow-new-Task"]
    calls = dict(copying.service.calls)
    with pytest.raises(errors.LogCopyUnderWay):
        start(call, SECOND)
    assert dict(copying.service.calls) == calls


def test_one_that_is_redriven_after_another_has_begun_stops(
    copying: Copying, call: Handler, executions: Executions
) -> None:
    copying.fill("s", 3)
    copying.made = start(call, FIRST)
    (batch,) = copying.batches()
    executions.running.remove(FIRST)
    start(call, SECOND)
    with pytest.raises(errors.LogCopyUnderWay, match=r"since this one was interrupted, .*copy-logs:two\. Start"):
        call(copy_log_events, execution="one", copy=copying.made["copy"], batch=batch)
    assert copying.service.calls["PutLogEvents"] == 0
