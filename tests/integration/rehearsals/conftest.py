"""A local AWS with light environments for each file of tests: a process has one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application
from migration.airflow import our_dags

from .light_environment import LightEnvironment
from .stage import Stage

# By itself it may fire in the night to a Sunday only; a test that wants it to fires it.
SCHEDULE = {
    "RehearsalSchedule": "cron(0 3 ? * SUN *)",
    "RehearsalTimeZone": "Europe/Paris",
    "RehearsalInput": '{"input": "inputs/scheduled.json"}',
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with AwsWithMwaa(environments=LightEnvironment) as aws:
        deployed = application.deploy(aws, parameters=SCHEDULE)
        packages = {function.package for function in deployed.functions.values()}
        light = {package: without_modules(package, tmp_path_factory.mktemp("package")) for package in packages}
        for function in deployed.functions.values():
            aws.functions.register(replace(function, package=light[function.package]))
        yield Stage(aws)


def without_modules(package: Path, folder: Path) -> Path:
    """A package of functions with our DAG files and our plugin, but without the eighty modules that they import.

    Each rehearsal puts them into two environments and takes them back, an S3 call for each, and nothing here runs them.
    """

    def modules(directory: str, names: list[str]) -> set[str]:
        kept = (".airflowignore", "__init__.py", "in_scheduler")
        return {name for name in names if Path(directory).name == our_dags.NAME and name not in kept}

    for item in package.iterdir():
        if item.name == "dags":
            shutil.copytree(item, folder / item.name, ignore=modules)
        else:
            (folder / item.name).symlink_to(item)
    return folder
