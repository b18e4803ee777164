"""GovCloud and China are partitions of their own, so no code writes out `arn:aws:` or the domain of an endpoint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = (
    "bench", "chaos", "dags", "data_pipeline", "functions", "layers", "local", "matrix", "mwaa_migrator_cli",
    "pipeline_runs", "sources", "statemachine", "template.yaml", "tools",
)  # fmt: skip
# The names of services that may assume a role end in amazonaws.com in every partition; what has a region before that
# is an endpoint.
WRITTEN_OUT = re.compile(r"arn:aws(-\w+)*:|(\*|\}|-\d)\.amazonaws\.com")


def files() -> list[Path]:
    found = [file for place in PLACES for file in (ROOT / place, *(ROOT / place).rglob("*"))]
    return [file for file in found if file.suffix in (".py", ".yaml", ".json", ".html", ".toml") and file.is_file()]


def test_no_code_writes_out_a_partition() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if WRITTEN_OUT.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('"Resource": f"arn:aws:s3:::{bucket}"', True),
        ("Default: arn:aws-cn:iam::*:role/*", True),
        ("kms:ViaService: s3.*.amazonaws.com", True),
        ('f"s3.{region}.amazonaws.com"', True),
        ("Resource: arn:${Partition}:states:::lambda:invoke", False),
        ("Default: arn:*:s3:::*", False),
        ("Service: scheduler.amazonaws.com", False),
    ],
)
def test_what_counts_as_written_out(line: str, is_found: bool) -> None:
    assert bool(WRITTEN_OUT.search(line)) == is_found
