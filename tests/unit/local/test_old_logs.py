"""What of a source's log counts as shown by the target."""

from __future__ import annotations

import json

import pytest

from local.rehearsal.old_logs import _absent, _said


@pytest.mark.parametrize(
    "message",
    [
        "extracted 3 orders, the first of Zürich",
        json.dumps({"event": "extracted 3 orders, the first of Zürich", "logger": "task.stdout"}),
        '"extracted 3 orders, the first of Zürich"',
    ],
)
def test_a_line_is_text_or_json_with_an_event(message: str) -> None:
    assert _absent([_said(message)], "of all: extracted 3 orders, the first of Zürich") is None
    assert _absent([_said(message)], "nothing") == "extracted 3 orders"
