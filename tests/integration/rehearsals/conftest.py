"""A local AWS with light environments for each file of tests: a process has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.aws import LocalAws

from .light_environment import LightEnvironment
from .stage import Stage


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with LocalAws(environments=LightEnvironment) as aws:
        aws.deploy()
        yield Stage(aws)
