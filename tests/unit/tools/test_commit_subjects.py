"""Subjects of at most 72 characters, in a message's file and in a list."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tools import commit_subjects


def test_of_a_message_only_the_subject_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = tmp_path / "COMMIT_EDITMSG"
    monkeypatch.setattr(sys, "argv", ["commit_subjects", str(message)])
    message.write_text(f"{'ü' * 72}\n\n{'b' * 200}\n", encoding="utf-8")
    assert commit_subjects.main() == 0
    message.write_text("s" * 73, encoding="utf-8")
    assert commit_subjects.main() == 1


def test_each_line_of_a_list_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["commit_subjects", "-"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"short\n{'s' * 80}\n"))
    assert commit_subjects.main() == 1
    assert f"80 characters, 72 at most; the rest belongs in the body: {'s' * 80}" in capsys.readouterr().err
