"""The ways into the metadata database from a task of Airflow 3, by what its worker's environment says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import mwaa_migrator
import psutil
import psycopg2
import pytest

from local.installations.postgres import PostgresServer
from local.mwaa import airflow_variables, database_access
from local.mwaa.database_proxy import DatabaseProxy, DatabaseProxySettings
from sources.deployment import Deployment
from tests.integration.engine.test_tasks import result

SECRET = "a secret that is nowhere"
#: Of the local AWS: when it expires, and its signature.
TOKEN = re.compile(r"\d{9,}\.\d+:[0-9a-f]{64}")

#: As Airflow's supervisor starts a task: with Airflow imported, and then kept out of the database.
TASK = """
from types import SimpleNamespace
import airflow
from airflow.sdk.execution_time.supervisor import block_orm_access
block_orm_access()
from mwaa_migrator.dag_tasks import tasks
tasks.run_task({task!r}, dict(dag_run=SimpleNamespace(run_id="by hand", conf={conf!r})))
"""
WAY = """
import json
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.this_airflow.database import metadata_database
try:
    with metadata_database() as database:
        user = database.connection.info.user
        print(json.dumps([database.place.way_in, user, database.airflow_version]))
except MigratorError as error:
    print(json.dumps([error.name, str(error)]))
"""

StartTask = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def proxy(server: PostgresServer) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(DatabaseProxySettings(SECRET, token_seconds=6, idle_seconds=60, linger_seconds=1))
    proxy.start(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def target_3(new_deployment: Callable[..., Deployment]) -> Deployment:
    return new_deployment("3.2.1")


@pytest.fixture
def worker(proxy: DatabaseProxy, target_3: Deployment, tmp_path: Path) -> dict[str, str]:
    """The environment of a worker that gets tokens, before Airflow has kept a task out."""
    installation = target_3.installation
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "mwaa_migrator").symlink_to(Path(mwaa_migrator.__file__).parent, target_is_directory=True)
    airflow_variables.install_local_settings(installation, tmp_path)
    access = database_access.of(installation, proxy, target_3.database)
    environment = installation.environment(
        tmp_path, access.url, **{"core__fernet_key": target_3.fernet_key, **access.options}
    )
    return {**environment, **access.variables, "PYTHONPATH": airflow_variables.python_path(installation, tmp_path)}


@pytest.fixture
def start_task(worker: dict[str, str], target_3: Deployment, tmp_path: Path) -> StartTask:
    def start(task: str, artifact: Path) -> subprocess.Popen[str]:
        conf = {"artifact": str(artifact), "options": {}}
        script = "import sys; sys.path.append({!r})\n".format(str(tmp_path / "dags"))
        return subprocess.Popen(
            [str(target_3.installation.python), "-c", script + TASK.format(task=task, conf=conf)],
            env=worker, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return start


def way(worker: Mapping[str, str], target: Deployment, tmp_path: Path, changes: Mapping[str, str | None]) -> list[str]:
    """What a process finds that a task has started; a variable that is None is taken away."""
    blocked = dict.fromkeys(
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"), "airflow-db-not-allowed:///"
    )
    merged: dict[str, str | None] = {**worker, **blocked, **changes}
    done = subprocess.run(
        [str(target.installation.python), "-W", "ignore", "-c", f"import sys; sys.path.append('dags')\n{WAY}"],
        env={name: value for name, value in merged.items() if value is not None},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert is_without_credentials(done.stdout + done.stderr)
    return list(json.loads(done.stdout.splitlines()[-1]))


OWNER = json.dumps({"username": "adminuser", "password": SECRET})


def is_without_credentials(text: str) -> bool:
    return SECRET not in text and TOKEN.search(text) is None


def with_secrets(worker: Mapping[str, str]) -> dict[str, str]:
    """What a worker of 3.0.6 was seen with in an account, where the images' names are others."""
    address = {f"POSTGRES_{name}": worker[f"MWAA__DB__POSTGRES_{name}"] for name in ("HOST", "PORT", "DB")}
    return {**address, "DB_SECRETS": OWNER}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"MWAA__DB__CREDENTIALS": OWNER}, ["MWAA__DB", "adminuser"]),
        (
            {
                "MWAA__DB__CREDENTIALS": None,
                "MWAA__DB__POSTGRES_USER": "adminuser",
                "MWAA__DB__POSTGRES_PASSWORD": SECRET,
            },
            ["MWAA__DB", "adminuser"],
        ),
        ({}, ["IAM token", "airflow_user"]),
    ],
)
def test_the_ways_are_tried_in_order(
    changes: dict[str, str | None], found: list[str], worker: dict[str, str], target_3: Deployment, tmp_path: Path
) -> None:
    assert way(worker, target_3, tmp_path, changes) == [*found, "3.2.1"]


@pytest.mark.parametrize("credentials", [None, "rotated"])
def test_secrets_come_before_tokens(
    credentials: str | None, worker: dict[str, str], target_3: Deployment, tmp_path: Path
) -> None:
    taken = dict.fromkeys(name for name in worker if name.startswith("MWAA__DB__")) if credentials is None else {}
    changes: dict[str, str | None] = {**taken, **with_secrets(worker)}
    assert way(worker, target_3, tmp_path, changes) == ["DB_SECRETS", "adminuser", "3.2.1"]


def test_no_way_in(worker: dict[str, str], target_3: Deployment, tmp_path: Path) -> None:
    changes = {"DB_SECRETS": "no JSON", "USE_IAM_CREDENTIALS": None}
    name, message = way(worker, target_3, tmp_path, changes)
    assert name == "DatabaseOutOfReach"
    tried = (
        "Tried: MWAA__DB (the server refused the password); DB_SECRETS (DB_SECRETS is not JSON with username and "
        "password); IAM token (USE_IAM_CREDENTIALS is not true). Nothing was read or written."
    )
    assert tried in message
    nothing = dict.fromkeys([name for name in worker if name.startswith(("MWAA__DB__", "POSTGRES_"))])
    message = way(worker, target_3, tmp_path, {**nothing, "USE_IAM_CREDENTIALS": None})[1]
    assert "MWAA__DB (without MWAA__DB__POSTGRES_USER, MWAA__DB__POSTGRES_PASSWORD)" in message
    values = [value for name, value in worker.items() if name.startswith(("MWAA__DB__", "POSTGRES_"))]
    assert [value for value in values if len(value) > 5 and value in message] == []


@pytest.mark.parametrize("way_in", ["IAM token", "DB_SECRETS"])
def test_tasks_import_and_verify_and_leave_no_credentials(
    way_in: str, source: Deployment, worker: dict[str, str], start_task: StartTask, target_3: Deployment, tmp_path: Path
) -> None:
    """Tokens expire after 6 seconds here, so nobody gets far with one."""
    if way_in == "DB_SECRETS":
        worker.update(with_secrets(worker))
    # The receipts belong to the role that the first one came in as, and the other is no member of it.
    with target_3.server.administration(target_3.database) as cursor:
        cursor.execute("drop schema if exists mwaa_migrator cascade")
    name = way_in.replace(" ", "-")
    source.succeed("export", "--to", str(tmp_path), "--id", name)
    artifact = tmp_path / name
    printed, arguments = "", set[str]()
    for task in ("import", "verify"):
        process = start_task(task, artifact)
        assert process.stdout
        for line in process.stdout:
            printed += line
            if "upgrade: " in line or "restore: " in line:
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        arguments |= {" ".join(child.cmdline())}
        assert process.wait() == 0, printed[-3000:]
    imported = result(artifact, "import")
    assert imported["target"]["way_in"] == way_in
    # The second finds the rows of the first.
    rows = imported["tables"]["task_instance"]
    assert rows["merged"] + rows["kept"] == 1000
    assert result(artifact, "verify")["verified"]
    assert any("run_migrations" in one for one in arguments)
    left = [path.read_bytes().decode("latin-1") for path in artifact.rglob("*.json")]
    with psycopg2.connect(target_3.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select result::text from mwaa_migrator.imports")
        left += [receipt for (receipt,) in cursor.fetchall()]
    with psycopg2.connect(target_3.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select x::text from xcom x union all select l::text from log l")
        left += [row for (row,) in cursor.fetchall()]
    assert [text for text in [printed, *arguments, *left] if not is_without_credentials(text)] == []


def test_a_task_that_finds_no_way_says_so(
    worker: dict[str, str], start_task: StartTask, artifact: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "artifact"
    copy.mkdir()
    for path in artifact.glob("*.json"):
        (copy / path.name).write_bytes(path.read_bytes())
    worker["USE_IAM_CREDENTIALS"] = "false"
    process = start_task("import", copy)
    assert process.communicate()[0].count("AirflowFailException") > 0
    assert result(copy, "import")["error"]["name"] == "DatabaseOutOfReach"
