"""The agent as a person starts it, beside a real Airflow: it exports what a DAG would, and survives being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import boto3
import psycopg2
import pytest
from moto.server import ThreadedMotoServer

from sources.deployment import Deployment
from tests.integration.engine.conftest import fill
from tools import engine_file

BUCKET, ID = "exchange", "prod-3-1a2b3c"
EXCHANGE = f"s3://{BUCKET}/artifacts"
_WITHIN = 240.0
#: Five DAGs, one of them paused, with four runs each.
HISTORY_OF_3 = """
insert into dag_bundle (name) values ('dags-folder') on conflict do nothing;
insert into dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks, max_consecutive_failed_dag_runs,
                 has_task_concurrency_limits, timetable_type)
select 'source_dag_' || d, 'dags-folder', d = 5, false, 16, 0, false, '' from generate_series(1, 5) d;
insert into dag_run (dag_id, run_id, logical_date, run_after, state, run_type, clear_number)
select 'source_dag_' || d, 'manual__' || r, now() - r * interval '1 day', now(), 'success', 'manual', 0
  from generate_series(1, 5) d, generate_series(1, 4) r
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    yield client
    server.stop()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return engine_file.build(tmp_path_factory.mktemp("alone") / "mwaa_migrator.pyz")


class Agents:
    """Starts agents of one deployment, and asks them for work."""

    def __init__(self, file: Path, deployment: Deployment, s3: Any, migration: str) -> None:
        self._file, self._deployment, self._s3, self.migration = file, deployment, s3, migration
        self._started: list[subprocess.Popen[str]] = []

    def command(self, *arguments: str) -> list[str]:
        given = ["agent", "--exchange", EXCHANGE, "--migration", self.migration, "--json", *arguments]
        return [str(self._deployment.installation.python), self._file.name, *given]

    def environment(self, **changes: str) -> dict[str, str]:
        own = {name: value for name, value in self._deployment.environment().items() if name != "PYTHONPATH"}
        aws = {
            "AWS_ENDPOINT_URL": self._s3.meta.endpoint_url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return {**own, **aws, **changes}

    def run(self, *arguments: str, **changes: str) -> tuple[int, dict[str, Any], str]:
        """One that ends by itself."""
        done = subprocess.run(
            self.command(*arguments), cwd=self._file.parent, env=self.environment(**changes), capture_output=True,
            text=True, check=False, timeout=_WITHIN,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command(), cwd=self._file.parent, env=self.environment(), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def ask(self, run_id: str, tasks: list[str], folder: str = "", **options: Any) -> None:
        artifact = "/".join(part for part in (EXCHANGE, self.migration, folder) if part)
        content = {"run_id": run_id, "tasks": tasks, "conf": {"artifact": artifact, "options": options}}
        self._s3.put_object(
            Bucket=BUCKET,
            Key=f"artifacts/{self.migration}/agent/{run_id}.request.json",
            Body=json.dumps({**content, "asked": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}).encode(),
        )

    def result(self, name: str, run_id: str) -> dict[str, Any]:
        end = time.monotonic() + _WITHIN
        while time.monotonic() < end:
            found = self.read(name)
            if found is not None and found["run_id"] == run_id:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{name} was not left")

    def read(self, name: str) -> dict[str, Any] | None:
        try:
            body = self._s3.get_object(Bucket=BUCKET, Key=f"artifacts/{self.migration}/{name}.json")["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        found: dict[str, Any] = json.loads(body)
        return found


def active(deployment: Deployment) -> set[str]:
    return {dag for (dag,) in deployment.rows("select dag_id from dag where not is_paused")}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["1.10.12", "2.10.3", "3.2.1"])
def test_it_does_what_a_dag_would(version: str, file: Path, s3: Any, new_deployment: Callable[..., Deployment]) -> None:
    deployment = new_deployment(version)
    if deployment.installation.release >= (3,):
        deployment.execute(HISTORY_OF_3)
    else:
        fill(deployment, "source", dags=5, runs=4)
    before = active(deployment)
    agents = Agents(file, deployment, s3, f"m-{version.replace('.', '-')}")
    code, found, _ = agents.run("--check")
    assert (code, found["problems"]) == (0, [])
    assert (found["airflow_version"], found["fernet_key"]) == (version, "set")
    try:
        agent = agents.start()
        agents.ask("probe", ["export"], "probe", probe=True)
        probed = agents.result("probe/export", "probe")
        assert probed["status"] == "done", probed
        assert (probed["ready"], probed["tables"]["dag_run"]["rows"]) == (True, 20)
        agents.ask("export", ["quiesce", "drain", "export"], quiesce=True, drainPolicy="abandon", drainSeconds=0)
        exported = agents.result("export", "export")
        assert exported["status"] == "done", exported
        assert exported["tables"]["dag_run"]["rows"] == 20
        quiesced = agents.read("quiesce")
        assert quiesced is not None
        assert set(quiesced["active_dags"]) == before
        assert active(deployment) == set()
        assert agents.read("manifest") is not None
        # By whom it is asked to end, it ends in good order.
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(30) == 0
        # So the next one need not wait until nobody can have the lease any more.
        agents.start()
        agents.ask("resume", ["resume"])
        assert agents.result("resume", "resume")["status"] == "done"
        assert active(deployment) == before
    finally:
        agents.stop()


@pytest.mark.timeout(900)
def test_killed_in_the_middle_and_two_at_once(file: Path, s3: Any, source: Deployment) -> None:
    agents = Agents(file, source, s3, "killed")
    with closing(psycopg2.connect(source.dsn)) as connection, connection.cursor() as cursor:
        # The export waits for it.
        cursor.execute("lock table xcom in access exclusive mode")
        try:
            agent = agents.start()
            agents.ask("export", ["quiesce", "export"])
            assert agents.result("quiesce", "export")["status"] == "done"
            code, refused, _ = agents.run()
            assert (code, refused["error"]["name"]) == (3, "AgentRunning")
            assert f" {agent.pid} " in refused["error"]["message"]
            os.kill(agent.pid, signal.SIGKILL)
            agent.wait()
            connection.rollback()
            assert agents.read("export") is None
            agent = agents.start()
            exported = agents.result("export", "export")
            assert exported["status"] == "done"
            # Killed again, between the artifact's last object and the result.
            agent.terminate()
            agent.wait(30)
            s3.delete_object(Bucket=BUCKET, Key="artifacts/killed/export.json")
            agents.start()
            assert agents.result("export", "export") == exported | {"seconds": ANY}
        finally:
            agents.stop()


@pytest.mark.timeout(300)
def test_all_that_is_missing_is_told_at_once(file: Path, s3: Any, source: Deployment) -> None:
    agents = Agents(file, source, s3, "missing")
    unreachable = "postgresql+psycopg2://nobody:x@127.0.0.1:1/none"
    code, found, said = agents.run(
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=unreachable,
        AIRFLOW__CORE__SQL_ALCHEMY_CONN=unreachable,
        AIRFLOW__CORE__FERNET_KEY="no key",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
    )
    assert code == 3
    assert [problem["name"] for problem in found["problems"]] == [
        "StorageUnreachable", "DatabaseUnreachable", "FernetKeyInvalid",
    ]  # fmt: skip
    assert "FernetKeyInvalid: This Airflow's fernet_key is no Fernet key" in said


@pytest.mark.timeout(300)
def test_another_database_is_named(file: Path, s3: Any, source: Deployment, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/airflow.db"
    code, found, _ = Agents(file, source, s3, "other").run(
        "--check", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url, AIRFLOW__CORE__SQL_ALCHEMY_CONN=url
    )
    assert (code, [problem["name"] for problem in found["problems"]]) == (3, ["DatabaseNotSupported"])
    assert found["problems"][0]["message"].endswith("mwaa_migrator.pyz export --to URL.")
