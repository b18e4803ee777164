"""What is kept of a target that is deleted, and that nothing which goes wrong there keeps it from being deleted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from local.rehearsal import last_look, old_logs
from local.rehearsal.last_look import LastLook, NotSeen
from local.rehearsal.old_logs import OldLogs

TARGET: Any = SimpleNamespace(name="target")
AWS: Any = SimpleNamespace(client=lambda service: None)


def test_what_was_seen_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(aws: Any, source: str, target: str) -> OldLogs:
        asked.append((source, target))
        return OldLogs(read=11)

    monkeypatch.setattr(old_logs, "read", read)
    monkeypatch.setattr(last_look, "task_log", lambda logs, environment: iter([f"of {environment}"]))
    look = LastLook(AWS, "source")
    look(SimpleNamespace(name="source"))  # type: ignore[arg-type]
    with pytest.raises(NotSeen, match="no target was deleted"):
        look.old_logs()
    look(TARGET)
    assert asked == [("source", "target")]
    assert look.old_logs().read == 11
    assert look.task_log() == ["of target"]


def test_what_goes_wrong_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise requests.ConnectionError("no answer")

    monkeypatch.setattr(old_logs, "read", refuse)
    monkeypatch.setattr(last_look, "task_log", refuse)
    look = LastLook(AWS, "source")
    look(TARGET)
    with pytest.raises(NotSeen, match="could not be asked for logs of old runs: ConnectionError: no answer"):
        look.old_logs()
    assert look.task_log() == []
