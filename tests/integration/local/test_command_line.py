"""The command line against a local AWS: a real state machine and the functions as packaged, found by the AWS's name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def command(aws: AwsWithMwaa, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs `mwaa-migrator` against the local AWS; `FILE` is an input whose source does not exist."""
    application.deploy(aws)
    file = tmp_path_factory.mktemp("input") / "input.json"
    target = {"environment": "new", "airflowVersion": "2.11.2"}
    file.write_text(json.dumps({"source": {"environment": "old"}, "target": target}))
    program = Path(sys.executable).with_name("mwaa-migrator")

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [str(file) if argument == "FILE" else argument for argument in arguments]
        return subprocess.run(
            [str(program), name, "--local-name", aws.name, *words], capture_output=True, text=True, check=False
        )

    return run


def test_plan_says_what_the_execution_will_say(command: Command) -> None:
    planned = command("plan", "FILE")
    assert planned.returncode == 1, planned.stderr
    assert "SourceNotFound at source.environment\n  there is no environment 'old'" in planned.stdout
    started = command("start", "FILE")
    assert started.returncode == 0, started.stderr
    watched = command("watch", started.stdout.strip())
    assert watched.returncode == 1
    assert "SourceNotFound: source.environment: there is no environment 'old'" in watched.stderr


def test_rehearse_watches_what_it_starts(command: Command) -> None:
    rehearsed = command("rehearse", "FILE")
    assert rehearsed.returncode == 1
    assert ":execution:" in rehearsed.stdout
    assert "SourceNotFound" in rehearsed.stderr


def test_an_execution_that_is_not_there(command: Command, aws: AwsWithMwaa) -> None:
    missing = f"{aws.deployed.state_machines['MigrateStateMachine'].replace(':stateMachine:', ':execution:')}:gone"
    told = command("watch", missing)
    assert told.returncode == 2
    assert "There is no execution" in told.stderr
