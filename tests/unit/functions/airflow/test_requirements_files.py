"""What becomes of requirements.txt: a specification by files of kinds that users of Amazon MWAA have.

Each file of `requirements_files` says why it is there, what the source has and what the target gets (the same, where
nothing is said), which sentences a plan has about it, and what CheckFiles finds in the result: `LINE: words`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from migration.airflow import constraints, pip_requirements
from migration.checks import requirements

FILES = sorted((Path(__file__).parent / "requirements_files").glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_requirements(file: Path, line_end: str) -> None:
    case: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    written = case["given"].replace("\n", line_end).encode(case.get("encoding", "utf-8"))
    source, _ = pip_requirements.decoded(written)
    target, notes = constraints.fitted(source, case["version"])

    assert target == case.get("expected", case["given"])
    assert pip_requirements.decoded(pip_requirements.encoded(target))[0] == target
    assert constraints.fitted(target, case["version"])[0] == target
    assert_each_says(notes, case["notes"])

    check = requirements.check(target, case["version"], "requirements.txt", source)
    found = check.get("findings", [])
    assert check["result"] == case["check"]
    assert_each_says([f"{one.get('line', '')}: {one['message']}" for one in found], case["findings"])
    if case["check"] == "pass":
        assert case.get("says", f"has the constraints of Airflow {case['version']}, and") in check["message"]
    for secret in case.get("secrets", []):
        assert secret in target
        assert secret not in str((notes, check))


def assert_each_says(sentences: list[str], words: list[str]) -> None:
    assert len(sentences) == len(words), sentences
    for sentence, wanted in zip(sentences, words, strict=True):
        assert wanted in sentence
