"""A local AWS in which a migration takes seconds, and the environments that migrations are made between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg2

from local import demo_source
from local.airflow_installation import AirflowInstallation, install
from local.aws import LocalAws
from local.mwaa.environment import Environment
from local.mwaa.metadata_database import MetadataDatabase
from tests.chaos.light_airflow import LightAirflow
from tests.chaos.silence import impatient
from tests.chaos.tasks_server import TasksServer

SOURCE_VERSION, TARGET_VERSION = "2.10.3", "2.11.2"
ROWS = Path(__file__).parent.parent / "integration" / "engine" / "rows_2_10.sql"
DAGS, RUNS = 10, 6
STREAMS, EVENTS = 12, 5
BUCKET = "chaos-dags"
#: Nothing runs in a source without a scheduler, so nothing is to be drained.
QUIET = """
    update task_instance set state = 'success', trigger_id = null where state in ('running', 'queued', 'deferred');
    update dag_run set state = 'success' where state = 'running';
    insert into variable (key, val, description, is_encrypted)
    select 'variable ' || n, 'value', E'line\\nbreak', false from generate_series(1, 5) n;
    insert into connection (conn_id, conn_type, host, login, port, is_encrypted, is_extra_encrypted)
    select 'connection ' || n, 'http', 'host', 'login', 80, false, false from generate_series(1, 5) n
"""


class CopiedDatabase(MetadataDatabase):
    """A metadata database that is a copy of another one."""

    #: Databases by Airflow version.
    templates: ClassVar[dict[str, str]] = {}

    def create(self, installation: AirflowInstallation, environment: dict[str, str]) -> None:
        self._server.create_database(self.name, template=self.templates[installation.version])


class LightEnvironment(Environment):
    airflow_type = LightAirflow
    database_type = CopiedDatabase


@dataclass
class Before:
    """A source as it was before its migration."""

    environment: Environment
    rows: dict[str, Counter[str]]
    paused: dict[str, bool]
    logs: dict[str, list[str]]


class World:
    """The local AWS, deployed once for many migrations."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self._role = demo_source.execution_role(aws, BUCKET)
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for function in aws.deploy().functions.values():
            aws.functions.register(impatient(function))

    @property
    def exchange(self) -> str:
        return self.aws.deployed.resources["ExchangeBucket"]

    def source(self, name: str) -> Environment:
        """A new source with its DAG files, its history and its logs."""
        s3, logs = self.aws.client("s3"), self.aws.client("logs")
        for number in range(1, DAGS + 1):
            # As rows_2_10.sql has it, each fifth DAG is not active: it has no file any more.
            if number % 5:
                s3.put_object(Bucket=BUCKET, Key=f"{name}/dags/source_dag_{number}.py", Body=b"# a DAG of airflow\n")
        self.aws.client("mwaa").create_environment(
            Name=name,
            AirflowVersion=SOURCE_VERSION,
            ExecutionRoleArn=self._role,
            SourceBucketArn=f"arn:aws:s3:::{BUCKET}",
            DagS3Path=f"{name}/dags",
            NetworkConfiguration={"SubnetIds": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]},
            WebserverAccessMode="PUBLIC_ONLY",
            LoggingConfiguration={"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
        )
        environment = self.aws.mwaa.environment(name)
        while environment.status == "CREATING":
            time.sleep(0.05)
        now = int(time.time() * 1000)
        for stream in range(STREAMS):
            place = {"logGroupName": f"airflow-{name}-Task", "logStreamName": f"dag_id=source_dag_1/{stream}.log"}
            logs.create_log_stream(**place)
            events = [{"timestamp": now - 60_000 + at, "message": f"{stream} line {at}"} for at in range(EVENTS)]
            logs.put_log_events(**place, logEvents=events)
        return environment

    def logs(self, name: str) -> dict[str, list[str]]:
        """The messages of each stream of an environment's task logs; no streams where there is no group."""
        logs, group = self.aws.client("logs"), f"airflow-{name}-Task"
        found = {}
        for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
            for stream in page["logStreams"]:
                place = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
                events = logs.get_log_events(**place, startFromHead=True)["events"]
                found[stream["logStreamName"]] = [str(event["message"]) for event in events]
        return found

    def forget(self, *names: str) -> None:
        """Deletes environments, so that the next migrations have the machine to themselves."""
        mwaa = self.aws.client("mwaa")
        for name in set(names) & set(mwaa.list_environments()["Environments"]):
            environment = self.aws.mwaa.environment(name)
            if environment.status != "DELETING":
                mwaa.delete_environment(Name=name)
            environment.gone.wait(30)


@contextmanager
def world() -> Iterator[World]:
    """A world of its own; ends everything that it has started."""
    aws = LocalAws(environments=LightEnvironment)
    with aws:
        try:
            for version in (SOURCE_VERSION, TARGET_VERSION):
                installation = install(version)
                template = MetadataDatabase(aws.postgres, f"template-{version}")
                template.create(installation, installation.environment(aws.folder / version, template.url))
                if version == SOURCE_VERSION:
                    _fill(template.dsn)
                CopiedDatabase.templates[version] = template.name
                LightAirflow.servers[version] = TasksServer(installation, template.url, aws.name)
            yield World(aws)
        finally:
            for server in LightAirflow.servers.values():
                server.stop()
            LightAirflow.servers.clear()


def _fill(dsn: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(ROWS.read_text(), {"world": "source", "dags": DAGS, "runs": RUNS})
        cursor.execute(QUIET)


def document(source: str, target: str) -> dict[str, Any]:
    """The input of a migration between two environments of a world."""
    return {
        "source": {"environment": source},
        "target": {"environment": target, "airflowVersion": TARGET_VERSION},
        "options": {"pollSeconds": 1, "dagRunTimeoutSeconds": 120, "parseTimeoutSeconds": 120},
    }
