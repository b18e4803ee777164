"""A local AWS with light environments for each file of tests: a process has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application

from .light_environment import LightEnvironment
from .stage import Stage

# By itself it may fire in the night to a Sunday only; a test that wants it to fires it.
SCHEDULE = {
    "RehearsalSchedule": "cron(0 3 ? * SUN *)",
    "RehearsalTimeZone": "Europe/Paris",
    "RehearsalInput": '{"input": "inputs/scheduled.json"}',
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with AwsWithMwaa(environments=LightEnvironment) as aws:
        application.deploy(aws, parameters=SCHEDULE)
        yield Stage(aws)
