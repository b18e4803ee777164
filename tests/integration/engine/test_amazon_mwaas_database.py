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
from tests.integration.engine.commands import eventually
from tests.integration.engine.test_tasks import result

StartTask = Callable[[Deployment, str, Path], "subprocess.Popen[str]"]

TASK = """
from types import SimpleNamespace
import airflow
from mwaa_migrator.dag_tasks import tasks
tasks.run_task({task!r}, dict(dag_run=SimpleNamespace(run_id="by hand", conf={conf!r})))
"""
CONNECTIONS = """
import json, os, socket, time
from airflow import settings
from mwaa_migrator.scratch import run_migrations
from mwaa_migrator.this_airflow import database, place

def keepalives(connection):
    with socket.socket(fileno=os.dup(connection.fileno())) as its:
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        return [its.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)] + [
            its.getsockopt(socket.IPPROTO_TCP, name) for name in names]

here = database.this_place()
session = here.connect()
parameters = here.connection_parameters()
parameters["password"] = "some secret"
copying = place.connect_with(parameters, "copying")
found = [keepalives(session), keepalives(copying)]
run_migrations.confine_connections("public")
run_migrations.keep_alive_connections(0.5)
with settings.engine.connect() as holds_the_lock, settings.engine.connect() as idle:
    holds_the_lock.exec_driver_sql("select pg_advisory_lock(1)")
    found.append(keepalives(idle.connection))
    time.sleep(5)
    there = [one.exec_driver_sql("select 1").scalar() for one in (holds_the_lock, idle)]
print(json.dumps({"keepalives": found, "still there": there}))
"""
#: Whoever takes them for the standard library's, or for Amazon MWAA's, does not get far.
USERS_FILES = {
    "secrets.py": 'raise SystemExit("the user\'s secrets")',
    "queue.py": 'raise SystemExit("the user\'s queue")',
    "airflow_local_settings.py": "def policy(task):\n    task.owner = 'everybody'\n",
}


@pytest.fixture(scope="module")
def proxy(server: PostgresServer) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(DatabaseProxySettings("some secret", token_seconds=6, idle_seconds=60, linger_seconds=60))
    proxy.start(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def start_task(proxy: DatabaseProxy, tmp_path: Path) -> StartTask:
    """start_task(deployment, task, artifact) starts a task as a worker of that environment does."""

    def start(deployment: Deployment, task: str, artifact: Path) -> subprocess.Popen[str]:
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
        return subprocess.Popen(
            [str(installation.python), "-c", TASK.format(task=task, conf=conf)],
            env=environment, cwd=home, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def succeed(process: subprocess.Popen[str]) -> None:
    printed = process.communicate()[1]
    assert process.returncode == 0, printed[-3000:]


def test_export(source: Deployment, tmp_path: Path, start_task: StartTask) -> None:
    succeed(start_task(source, "export", tmp_path / "artifact"))
    assert result(tmp_path / "artifact", "export")["status"] == "done"


def test_import_with_airflows_migrations_after_one_that_was_killed(
    old_artifact: Path, target: Deployment, tmp_path: Path, start_task: StartTask
) -> None:
    """The proxy keeps the session of the first try, which waits for a lock in the merge; the second try ends it."""
    artifact = Path(shutil.copytree(old_artifact, tmp_path / "artifact"))
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with target.cursor() as cursor:
        cursor.execute("lock table log in share mode")
        first = start_task(target, "import", artifact)
        eventually(lambda: target.value(waiting) == 1, 300)
        first.kill()
        first.communicate()
    succeed(start_task(target, "import", artifact))
    assert not result(artifact, "import")["already_imported"]
    succeed(start_task(target, "verify", artifact))
    assert result(artifact, "verify")["verified"]


def test_every_connection_has_keepalives_and_none_is_idle_for_long(filled_source: Deployment) -> None:
    """Of an Airflow whose image sets none; what waits here is the session with the lock of Airflow's migrations."""
    server = DatabaseProxy(DatabaseProxySettings("some secret", token_seconds=60, idle_seconds=2, linger_seconds=0))
    server.start(filled_source.server.port)
    url = f"postgresql+psycopg2://adminuser:some secret@{server.host}:{server.port}/{filled_source.database}"
    try:
        assert filled_source.having(options={"database__sql_alchemy_conn": url}).new_python(CONNECTIONS) == {
            "keepalives": [[1, 30, 5, 5]] * 3,
            "still there": [1, 1],
        }
    finally:
        server.stop()
