"""A local AWS with the application and one environment for all, and the doctor in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Response

from local.aws.endpoint import Endpoint
from local.aws.request import AwsRequest
from local.installations.folders import ROOT
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, source_environment
from migration.aws import clients
from mwaa_migrator_cli.commands import cli

from .light_airflow import EnvironmentWithAirflow

Finding = dict[str, Any]
Doctor = Callable[..., tuple[int, list[Finding]]]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsWithMwaa]:
    with AwsWithMwaa(environments=EnvironmentWithAirflow) as started:
        application.deploy(started)
        demo_dags = ROOT / "local" / "rehearsal" / "demo_dags"
        source_environment.create(started, "prod", "2.11.2", demo_dags, lambda _: None)
        yield started


@pytest.fixture
def environment(aws: AwsWithMwaa) -> Iterator[Environment]:
    """The environment, whose command line tells the truth again afterwards."""
    found = aws.mwaa.environment("prod")
    yield found
    found.cli.interceptor = None


@pytest.fixture
def doctor(aws: AwsWithMwaa) -> Iterator[Doctor]:
    """Runs `mwaa-migrator doctor`; returns its exit code and its findings."""
    before = dict(os.environ)
    clients._client.cache_clear()

    def run(*arguments: str) -> tuple[int, list[Finding]]:
        words = ("doctor", "--local-name", aws.name, "--source", "prod", "--json", *arguments)
        done = CliRunner(mix_stderr=False).invoke(cli, words, catch_exceptions=False)
        assert done.stdout, done.stderr
        return done.exit_code, json.loads(done.stdout)

    yield run
    os.environ.clear()
    os.environ.update(before)
    clients._client.cache_clear()
    boto3.setup_default_session()


@pytest.fixture
def lie(aws: AwsWithMwaa) -> Iterator[Callable[[str, Change], None]]:
    """lie(operation, change): AWS's JSON answers to that operation are changed."""
    endpoint: Endpoint = aws.endpoint

    def switch_on(operation: str, change: Change) -> None:
        def intercept(request: AwsRequest, principal: Any, carry_out: Callable[[], Response]) -> Response:
            response = carry_out()
            if request.operation.name == operation:
                content = json.loads(response.get_data())
                change(content)
                response.set_data(json.dumps(content))
            return response

        endpoint.interceptor = intercept

    yield switch_on
    endpoint.interceptor = None
