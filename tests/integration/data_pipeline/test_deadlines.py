"""A late run raises its alarm: Airflow's scheduler sees the deadline pass, and its triggerer publishes to the topic."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data_pipeline.options import Options
from local.installations import uv
from local.installations.postgres import PostgresServer
from pipeline_runs.airflow_runs import Deployment, deployed
from pipeline_runs.local_services import Aws

from .conftest import translated_into

_VERSION = "3.2.1"
_PATIENCE = 120  # seconds until the alarm is published


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Deployment]:
    with deployed(_VERSION, tmp_path_factory.mktemp("deadlines"), postgres) as found:
        yield found


@pytest.fixture(scope="module")
def async_aws(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Path:
    """What the triggerer needs to call AWS, which Amazon MWAA's image has and the locked installation has not."""
    folder = tmp_path_factory.mktemp("aiobotocore")
    wanted = ("aiobotocore==3.9.0", "aioitertools==0.13.0")
    python = str(deployment.installation.python)
    uv.run("pip", "install", "--quiet", "--no-deps", "--python", python, "--target", str(folder), *wanted)
    return folder


@contextmanager
def running(deployment: Deployment, environment: dict[str, str], *components: str) -> Iterator[None]:
    """Components of an Airflow, which are stopped in the end."""
    processes = []
    with (deployment.home / "components.log").open("w") as log:
        for component in components:
            command = [str(deployment.installation.python), "-m", "airflow", component]
            processes.append(
                subprocess.Popen(
                    command, env=environment, cwd=deployment.home, stdout=log, stderr=log, start_new_session=True
                )
            )
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def test_a_late_run_raises_its_alarm(deployment: Deployment, async_aws: Path, aws: Aws) -> None:
    # The DAG takes over with a run that was due before the last hour began, so that it is late from the start.
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    translated_into(deployment.dags, Options(_VERSION, "worker", start), "late.json")
    topic = aws.client("sns").create_topic(Name="late")["TopicArn"]
    deployment.store("late")
    environment = {
        **deployment.environment(),
        **aws.environment(),
        "PYTHONPATH": str(async_aws),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    }
    with running(deployment, environment, "scheduler", "triggerer"):
        end = time.monotonic() + _PATIENCE
        while not aws.asked("sns", "Publish") and time.monotonic() < end:
            time.sleep(1)
    published = [parameters for _, parameters in aws.asked("sns", "Publish")]
    log = (deployment.home / "components.log").read_text(errors="replace")
    assert published, log[-8000:]
    assert published[0]["TargetArn"] == topic
    assert published[0]["Subject"] == "Load is late"
    assert f"Load of {start:%Y-%m-%dT%H:%M:%S}" in published[0]["Message"]
    assert "late" in published[0]["Message"]
