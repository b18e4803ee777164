"""The page shows what doctor prints."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from local.installations.folders import ROOT
from local.mwaa.environment import Environment
from mwaa_migrator_cli.commands import cli

from .conftest import Doctor

PAGE = ROOT / "docs" / "doctor.md"


def test_the_output_in_the_page_is_what_is_printed(
    doctor: Doctor, aws: Any, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.cli, "_failure", 400)
    done = CliRunner(env={"COLUMNS": "118"}).invoke(cli, ("doctor", "--local-name", aws.name, "--source", "prod"))
    assert done.exit_code == 0, done.output
    printed = re.sub(r"\d+\.\d seconds", "3.1 seconds", done.output)
    # Of an upgrade of boto3 the page need not know.
    printed = printed.replace(boto3.__version__, "1.44.5")
    lines = "\n".join(line.rstrip() for line in printed.splitlines())
    recorded = f"<!-- recorded: doctor -->\n\n```text\n{lines}\n```\n\n<!-- end of doctor -->"
    assert recorded in PAGE.read_text(encoding="utf-8"), recorded
