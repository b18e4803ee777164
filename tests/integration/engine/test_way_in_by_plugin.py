"""An import into a real 3.2.1 whose workers know nothing of their database: our plugin does it beside the scheduler."""

from __future__ import annotations

import io
import json
import signal
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from local.installations import processes
from local.installations.folders import ROOT
from local.mwaa import database_access
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from migration.environments import dag_folder, plugins_archive
from sources.deployment import Deployment
from tests.e2e.traces import credentials_in
from tests.integration.engine.commands import eventually

NAME, BUCKET, EXCHANGE = "without-ways", "airflow-without-ways", "airflow-exchange"
DAG = "mwaa_migrator_import"
DAGS = ROOT / "dags"
USERS_PLUGIN = (
    "from airflow.plugins_manager import AirflowPlugin\n\n\nclass Users(AirflowPlugin):\n    name = 'users'\n"
)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsWithMwaa]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(database_access.WORKER_DATABASE, database_access.NONE)
        with AwsWithMwaa() as made:
            yield made


@pytest.fixture(scope="module")
def target_3(aws: AwsWithMwaa) -> Environment:
    """With the user's plugin, and ours."""
    s3, mwaa, iam = aws.client("s3"), aws.client("mwaa"), aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "airflow-env.amazonaws.com"}, "Action": "sts:AssumeRole"}
    rights = [
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::airflow*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": f"arn:aws:logs:*:*:log-group:airflow-{NAME}-*"},
    ]
    role = iam.create_role(
        RoleName="Role", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="Role", PolicyName="rights", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": rights})
    )
    for bucket in (BUCKET, EXCHANGE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for file in DAGS.rglob("*"):
        if file.suffix == ".py" or file.name == dag_folder.AIRFLOWIGNORE:
            s3.put_object(Bucket=BUCKET, Key=f"dags/{file.relative_to(DAGS)}", Body=file.read_bytes())
    users = io.BytesIO()
    with zipfile.ZipFile(users, "w") as archive:
        archive.writestr("users_plugin.py", USERS_PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        # Where the functions' package has them.
        patch.setattr(dag_folder, "DAGS", DAGS)
        plugins = plugins_archive.with_plugin(users.getvalue(), f"s3://{EXCHANGE}/artifacts/")
    s3.put_object(Bucket=BUCKET, Key="plugins.zip", Body=plugins)
    mwaa.create_environment(
        Name=NAME,
        AirflowVersion="3.2.1",
        ExecutionRoleArn=role,
        SourceBucketArn=f"arn:aws:s3:::{BUCKET}",
        DagS3Path="dags/",
        PluginsS3Path="plugins.zip",
        NetworkConfiguration={"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        LoggingConfiguration={"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
    )
    eventually(lambda: mwaa.get_environment(Name=NAME)["Environment"]["Status"] != "CREATING", 180)
    assert mwaa.get_environment(Name=NAME)["Environment"]["Status"] == "AVAILABLE"
    return aws.mwaa.environment(NAME)


@pytest.fixture
def place(aws: AwsWithMwaa, source: Deployment, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The key of an artifact in the exchange bucket."""
    name = request.node.name.replace("_", "-")[:40]
    source.succeed("export", "--to", str(tmp_path), "--id", name)
    for file in (tmp_path / name).rglob("*"):
        if file.is_file():
            key = f"artifacts/{file.relative_to(tmp_path)}"
            aws.client("s3").put_object(Bucket=EXCHANGE, Key=key, Body=file.read_bytes())
    return f"artifacts/{name}"


def run_of(place: str) -> str:
    """Airflow takes no slash in a run's id."""
    return place.rsplit("/", 1)[-1]


def start(aws: AwsWithMwaa, target: Environment, place: str, way_in: str) -> None:
    conf = json.dumps({"artifact": f"s3://{EXCHANGE}/{place}", "options": {"wayIn": way_in}})
    airflow = target.airflow
    assert airflow is not None
    command = [
        "dags",
        "trigger",
        DAG,
        "--run-id",
        run_of(place),
        "--conf",
        conf,
        "--logical-date",
        # Airflow 3 has one run of a DAG for each.
        datetime.now(UTC).isoformat(),
    ]
    eventually(lambda: airflow.command(command, timeout=60).returncode == 0, 120)


def read(aws: AwsWithMwaa, key: str) -> dict[str, Any] | None:
    s3 = aws.client("s3")
    if "Contents" not in s3.list_objects_v2(Bucket=EXCHANGE, Prefix=key):
        return None
    found: dict[str, Any] = json.loads(s3.get_object(Bucket=EXCHANGE, Key=key)["Body"].read())
    return found


def run_state(target: Environment, run_id: str) -> str | None:
    with closing(psycopg2.connect(target.database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("select state from dag_run where dag_id = %s and run_id = %s", (DAG, run_id))
        found = cursor.fetchone()
        return None if found is None else str(found[0])


def serving(aws: AwsWithMwaa) -> list[psutil.Process]:
    """The processes that the plugin has started."""
    found = []
    for process in processes.marked(f"{aws.name}/{NAME}"):
        with suppress(psutil.Error):
            if any("mwaa_migrator.dag_tasks.serve_run" in part for part in process.cmdline()):
                found.append(process)
    return found


def said(target: Environment) -> str:
    """What the scheduler has printed, and what runs beside it."""
    airflow = target.airflow
    assert airflow is not None
    return (airflow.output / "scheduler.log").read_text(errors="replace")


def test_an_import_by_the_plugin(aws: AwsWithMwaa, target_3: Environment, place: str) -> None:
    start(aws, target_3, place, "auto")
    eventually(lambda: run_state(target_3, run_of(place)) not in (None, "queued", "running"), 300)
    imported, verified = (read(aws, f"{place}/{task}.json") for task in ("import", "verify"))
    assert imported is not None, said(target_3)[-3000:]
    assert (imported["status"], imported["target"]["way_in"]) == ("done", "plugin"), (imported, said(target_3)[-3000:])
    assert imported["tables"]["task_instance"]["merged"] == 1000
    assert verified is not None
    assert (verified["status"], verified["verified"]) == ("done", True)
    assert run_state(target_3, run_of(place)) == "success"
    # What it has started ends with the run, and the user's plugin is still there.
    eventually(lambda: serving(aws) == [], 60)
    assert target_3.airflow is not None
    assert (target_3.airflow.home / "plugins" / "users_plugin.py").read_text() == USERS_PLUGIN
    asked = [
        read(aws, f"{place}/in-scheduler/{task}.{kind}.json")
        for task in ("import", "verify")
        for kind in ("request", "answer")
    ]
    assert None not in asked
    assert credentials_in(aws, said(target_3) + json.dumps([imported, verified, asked])) == []


def test_another_scheduler_takes_up_what_one_has_left(aws: AwsWithMwaa, target_3: Environment, place: str) -> None:
    """The container of the first is lost in the middle of its work."""
    start(aws, target_3, place, "plugin")
    eventually(lambda: (read(aws, f"{place}/in-scheduler/lease.json") or {}).get("holder"), 120)
    first = read(aws, f"{place}/in-scheduler/lease.json")
    assert first is not None
    assert target_3.airflow is not None
    target_3.airflow.kill("scheduler")
    for process in serving(aws):
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.Error):
                one.send_signal(signal.SIGKILL)
    eventually(lambda: run_state(target_3, run_of(place)) not in ("queued", "running"), 400)
    imported, verified = (read(aws, f"{place}/{task}.json") for task in ("import", "verify"))
    assert imported is not None, said(target_3)[-3000:]
    assert (imported["status"], imported["target"]["way_in"]) == ("done", "plugin"), (imported, said(target_3)[-3000:])
    assert verified is not None
    assert verified["verified"]
    last = read(aws, f"{place}/in-scheduler/lease.json")
    assert last is not None
    assert last["holder"] != first["holder"]
    eventually(lambda: serving(aws) == [], 60)
