"""The commands that the functions send to the CLI endpoint, given to the real `airflow` of each line."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.installations import empty_airflow_database
from local.installations.airflow_installation import AirflowInstallation, install
from local.installations.postgres import PostgresServer
from local.mwaa.airflow_commands import AirflowCommands
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.checks import import_errors
from migration.errors import CommandFailed

# A version of each way in which a command is called or answers.
VERSIONS = ["1.10.12", "2.0.2", "2.5.1", "2.11.2", "3.0.6", "3.2.1", "3.3.1"]
DATE = "2026-11-22T10:00:00+00:00"
DAG = """
import datetime
from airflow import DAG
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python_operator import PythonOperator

for name in ("ours", "other"):
    arguments = dict(dag_id=name, start_date=datetime.datetime(2020, 1, 1), catchup=False)
    try:
        dag = DAG(schedule=None, **arguments)
    except TypeError:
        dag = DAG(schedule_interval=None, **arguments)
    PythonOperator(task_id="export", python_callable=print, dag=dag)
    globals()[name] = dag
"""
# What the scheduler does when it parses.
PARSE = """
from airflow.models import DagBag
bag = DagBag()
bag.sync_to_db() if hasattr(bag, "sync_to_db") else [dag.sync_to_db() for dag in bag.dags.values()]
"""


class Deployment:
    """An Airflow with a database of its own; called like the CLI endpoint."""

    def __init__(self, installation: AirflowInstallation, home: Path, server: PostgresServer) -> None:
        self._installation = installation
        self._server = server
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        self._database = f"commands_{installation.version.replace('.', '_')}"
        self._env = installation.environment(home, server.url(self._database), core__dags_are_paused_at_creation="True")
        self._commands = AirflowCommands(installation, self._env, home, home / "commands.log")

    def make_database(self) -> None:
        """Makes the database while the process for the commands imports Airflow."""
        empty_airflow_database.create(self._server, self._database, self._installation, self._env)

    def __call__(self, *command: str) -> Answer:
        return _answer(self._commands.run(list(command), timeout=120))

    def stop(self) -> None:
        self._commands.stop()

    def parse(self) -> None:
        (self.dags / "ours.py").write_text(DAG)
        if self._installation.release >= (2, 5):
            answer = self("dags", "reserialize")
        else:
            command = [str(self._installation.python), "-c", PARSE]
            answer = _answer(subprocess.run(command, env=self._env, capture_output=True, timeout=120, check=False))
        assert answer.succeeded, answer.stderr


def _answer(done: subprocess.CompletedProcess[bytes]) -> Answer:
    return Answer(done.returncode == 0, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    # pytest closes its own folder to other users, and as root the server is one, whenever another run begins.
    with tempfile.TemporaryDirectory(prefix="airflow-commands-") as folder, PostgresServer(Path(folder)) as running:
        yield running


@pytest.fixture
def deployment(version: str, tmp_path: Path, server: PostgresServer) -> Iterator[Deployment]:
    made = Deployment(install(version), tmp_path, server)
    try:
        made.make_database()
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_commands(version: str, deployment: Deployment) -> None:
    cli = AirflowCli(deployment, version)
    assert not cli.find_or_unpause("ours")
    deployment.parse()
    assert cli.find_or_unpause("ours")

    if not version.startswith("3"):
        # Our DAGs never run on 3.x.
        conf = {"artifact": "s3://b/a", "options": {"dags": 'it\'s "$(x)" \\d'}}
        assert cli.trigger("ours", "run-1", DATE, conf) is True
        assert cli.trigger("ours", "run-1", DATE, conf) is False
        state = cli.run_state("ours", "run-1", DATE)
        assert state.state == "running"
        assert state.tasks == ({} if version.startswith("1") else {"export": "none"})
        assert cli.run_state("ours", "run-2", "2025-01-01T00:00:00+00:00").state is None

    assert cli.unpause("ours")
    if version != "1.10.12":
        for paused in (True, False, False):
            assert cli.set_paused(["ours"], paused).succeeded
    if cli.unpauses_many:
        assert cli.set_paused(["ours", "other", "unknown"], paused=False).succeeded
        assert {dag["dag_id"]: dag["paused"] if "paused" in dag else dag["is_paused"] for dag in cli.dags() or []} in (
            {"ours": "False", "other": "False"},
        )
        assert cli.import_errors() == []
        (deployment.dags / "broken.py").write_text("import airflow, no_such_module  # a DAG")
        if version.startswith("3"):
            deployment("dags", "reserialize")
        (broken,) = cli.import_errors() or []
        assert broken["filepath"].endswith("broken.py")
        assert "no_such_module" in broken["error"]
        files = {file.name for file in deployment.dags.iterdir()}
        (read,) = import_errors.read([broken], files, version)
        assert (read.file, read.place, read.line) == ("broken.py", "broken.py", 1)
        assert read.message == "ModuleNotFoundError: No module named 'no_such_module'"
        _smoke_test(cli)
    assert cli.delete_dag("other")


def _smoke_test(cli: AirflowCli) -> None:
    """The commands of a smoke test, with a run that no scheduler starts."""
    date = "2026-11-23T10:00:00+00:00"
    assert cli.trigger("ours", "smoke", date, {}, dated=True) is True
    assert cli.trigger("ours", "smoke", date, {}, dated=True) is False
    (run,) = cli.runs("ours", since=date, until=date)
    assert (run["run_id"], run["state"], run["end_date"]) == ("smoke", "queued", "")
    assert "smoke" in [run["run_id"] for run in cli.runs("ours")]
    assert cli.runs("ours", since="2027-01-01T00:00:00+00:00") == []
    (task,) = cli.tasks("ours", "smoke")
    assert (task["task_id"], task["state"] or None, task["start_date"], task["end_date"]) == ("export", None, "", "")
    with pytest.raises(CommandFailed, match="unknown"):
        cli.runs("unknown")
    with pytest.raises(CommandFailed, match="never"):
        cli.tasks("ours", "never")
