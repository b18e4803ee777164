"""Short definitions that the tests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_pipeline import reading, secrets
from data_pipeline.model import Definition

DEFAULT: dict[str, Any] = {
    "id": "Default",
    "scheduleType": "cron",
    "schedule": {"ref": "Daily"},
    "role": "R",
    "resourceRole": "RR",
}
DAILY = {"id": "Daily", "type": "Schedule", "period": "1 Day", "startDateTime": "2024-03-03T02:30:00"}
SHELL = {"id": "Hello", "type": "ShellCommandActivity", "workerGroup": "wg", "command": "echo hello"}


def document(*objects: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A console export with a default, a daily schedule, and some objects; their ids replace those of the same id."""
    by_id: dict[str, Mapping[str, Any]] = {item["id"]: item for item in (DEFAULT, DAILY, *objects)}
    return {"objects": list(by_id.values()), **others}


def definition(*objects: Mapping[str, Any], **others: Any) -> Definition:
    """The same as a definition, read and with its secrets taken out."""
    return secrets.take_out(reading.definition_of("test.json", "test", document(*objects, **others)))
