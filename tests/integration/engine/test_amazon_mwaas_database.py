"""Tasks in an environment of Amazon MWAA: its role, its passwords that expire, its proxy, its files and the user's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mwaa_migrator
import pytest

from local.installations.postgres import PostgresServer
from local.mwaa import airflow_variables, database_access
from local.mwaa.database_proxy import DatabaseProxy, DatabaseProxySettings
from sources.deployment import Deployment
from tests.integration.engine.test_tasks import result

TASK = """
from types import SimpleNamespace
import airflow
from mwaa_migrator.dag_tasks import tasks
tasks.run_task({task!r}, dict(dag_run=SimpleNamespace(run_id="by hand", conf={conf!r})))
"""
#: Whoever takes them for the standard library's, or for Amazon MWAA's, does not get far.
USERS_FILES = {
    "secrets.py": 'raise SystemExit("the user\'s secrets")',
    "queue.py": 'raise SystemExit("the user\'s queue")',
    "airflow_local_settings.py": "def policy(task):\n    task.owner = 'everybody'\n",
}


@pytest.fixture(scope="module")
def proxy(server: PostgresServer) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(DatabaseProxySettings("some secret", token_seconds=6, idle_seconds=60))
    proxy.start(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def run_task(proxy: DatabaseProxy, tmp_path: Path) -> Callable[..., None]:
    """run_task(deployment, task, artifact) runs a task as a worker of that environment does."""

    def run(deployment: Deployment, task: str, artifact: Path) -> None:
        installation, home = deployment.installation, tmp_path / deployment.database
        dags = home / "dags"
        if not home.exists():
            dags.mkdir(parents=True)
            (dags / "mwaa_migrator").symlink_to(Path(mwaa_migrator.__file__).parent, target_is_directory=True)
            for name, content in USERS_FILES.items():
                (dags / name).write_text(content)
            airflow_variables.install_local_settings(installation, home)
        access = database_access.of(installation, proxy, deployment.database)
        environment = installation.environment(
            home, access.url, **{"core__fernet_key": deployment.fernet_key, **access.options}
        )
        environment |= {**access.variables, "PYTHONPATH": airflow_variables.python_path(installation, home)}
        conf = {"artifact": str(artifact), "options": {}}
        done = subprocess.run(
            [str(installation.python), "-c", TASK.format(task=task, conf=conf)],
            env=environment, cwd=home, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]

    return run


def test_export(source: Deployment, tmp_path: Path, run_task: Callable[..., None]) -> None:
    run_task(source, "export", tmp_path / "artifact")
    assert result(tmp_path / "artifact", "export")["status"] == "done"


def test_import_and_verify_with_airflows_migrations(
    old_artifact: Path, target: Deployment, tmp_path: Path, run_task: Callable[..., None]
) -> None:
    artifact = Path(shutil.copytree(old_artifact, tmp_path / "artifact"))
    run_task(target, "import", artifact)
    run_task(target, "verify", artifact)
    assert result(artifact, "import")["status"] == "done"
    assert result(artifact, "verify")["verified"]
