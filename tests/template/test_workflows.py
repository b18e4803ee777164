"""CI runs what the Makefile has, and all of the tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yaml").read_text(encoding="utf-8"))[
    "jobs"
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# They run in the job of the quick checks.
QUICK = {"unit", "template"}


def test_each_test_runs_in_one_job() -> None:
    shards = [shard["tests"].split() for shard in JOBS["real"]["strategy"]["matrix"]["include"]]
    run = [file for paths in shards for path in paths for found in ROOT.glob(path) for file in _tests(found)]
    assert len(run) == len(set(run))
    assert set(run) == {file for file in _tests(ROOT / "tests") if file.relative_to(ROOT).parts[1] not in QUICK}


def _tests(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("test_*.py"))


def test_the_commands_are_those_of_make_check() -> None:
    run = {step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step}
    called = {found[1] for command in run if (found := re.match(r"make (\w+)", command))}
    (check,) = re.findall(r"^check: ([\w ]+) ##", MAKEFILE, re.MULTILINE)
    assert called == set(check.split())
    ours = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert set(re.findall(r"^make (\w+)$", ours, re.MULTILINE)) == called


def test_actions_are_pinned_by_commit() -> None:
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
