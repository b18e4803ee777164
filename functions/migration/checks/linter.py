"""ruff's rules for Airflow, over a folder of Python files.

ruff comes in a layer of its own (layers/ruff), whose `bin` Lambda has on PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from migration.errors import LinterFailed

SYNTAX = "invalid-syntax"
# Two thousand files take ruff seconds.
_SECONDS = 120


class Violation(NamedTuple):
    """`file` is a name in the folder, `line` counts from 1; `remedy` is ruff's own, where it has one."""

    file: str
    line: int
    rule: str
    message: str
    remedy: str | None

    @property
    def named(self) -> str:
        """What the message is about: its first word in backticks; empty where it has none."""
        return self.message.partition("`")[2].partition("`")[0]


def lint(folder: Path, python: str, rules: Sequence[str]) -> list[Violation]:
    """What `rules` and the grammar of `python` ("3.12") say against the files of a folder.

    Comments that silence rules are ignored: they were written for another version of Airflow, and what has been removed
    is missing all the same.

    Raises:
        LinterFailed: ruff is not there, failed, or did not end in time.
    """
    with tempfile.TemporaryDirectory() as outside:
        answer = Path(outside, "violations")
        command = [
            *("ruff", "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--quiet"),
            # Of the rules in preview only those that are named here.
            *("--preview", "--config", "lint.explicit-preview-rules = true"),
            *("--target-version", f"py{python.replace('.', '')}", "--select", ",".join(rules)),
            # One line each, into a file: all at once might not fit into memory.
            *("--output-format", "json-lines", "--output-file", str(answer), str(folder)),
        ]
        try:
            done = subprocess.run(
                command,
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise LinterFailed("ruff is not on PATH. Deploy the stack's layer RuffLayer with the function.") from error
        except subprocess.TimeoutExpired as error:
            raise LinterFailed(f"ruff took more than {_SECONDS} s. Give CheckFilesFunction more memory.") from error
        if done.returncode != 0:
            raise LinterFailed(f"ruff ended with {done.returncode}: {done.stderr.strip()[:500]}")
        return sorted(_read(answer))


def _read(answer: Path) -> Iterator[Violation]:
    with answer.open(encoding="utf-8") as lines:
        for line in lines:
            violation = json.loads(line)
            fix = violation["fix"] or {}
            yield Violation(
                file=Path(violation["filename"]).name,
                line=violation["location"]["row"],
                # Releases differ in how they name a syntax error.
                rule=violation["code"] or SYNTAX,
                message=violation["message"].rstrip("; "),
                remedy=fix.get("message"),
            )
