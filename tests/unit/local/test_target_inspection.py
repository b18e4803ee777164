"""What is kept of a target that is deleted, and that nothing which goes wrong there keeps it from being deleted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from local.rehearsal import old_logs, target_inspection
from local.rehearsal.old_logs import OldLogs
from local.rehearsal.target_inspection import NotInspected, TargetInspection

TARGET: Any = SimpleNamespace(name="target")
AWS: Any = SimpleNamespace(client=lambda service: None)


def test_what_was_seen_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(aws: Any, source: str, target: str) -> OldLogs:
        asked.append((source, target))
        return OldLogs(read=11)

    monkeypatch.setattr(old_logs, "read", read)
    monkeypatch.setattr(target_inspection, "task_log", lambda logs, environment: iter([f"of {environment}"]))
    inspection = TargetInspection(AWS, "source")
    inspection(SimpleNamespace(name="source"))  # type: ignore[arg-type]
    with pytest.raises(NotInspected, match="no target was deleted"):
        inspection.old_logs()
    inspection(TARGET)
    assert asked == [("source", "target")]
    assert inspection.old_logs().read == 11
    assert inspection.task_log() == ["of target"]


def test_what_goes_wrong_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise requests.ConnectionError("no answer")

    monkeypatch.setattr(old_logs, "read", refuse)
    monkeypatch.setattr(target_inspection, "task_log", refuse)
    inspection = TargetInspection(AWS, "source")
    inspection(TARGET)
    with pytest.raises(NotInspected, match="could not be asked for logs of old runs: ConnectionError: no answer"):
        inspection.old_logs()
    assert inspection.task_log() == []
